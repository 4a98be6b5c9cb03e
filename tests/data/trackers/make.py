#!/usr/bin/env python3
"""Writes the files of this folder with the real writers, and what they hold into truth.json.

    python3 -m venv V && V/bin/pip install wandb tensorboardX tensorboard mlflow-skinny transformers lightning
    V/bin/python tests/data/trackers/make.py FOLDER

Without a library its files are left out, and that is said.
"""

import json
import math
import os
import random
import shutil
import sys
from pathlib import Path

out = Path(sys.argv[1]).resolve()
out.mkdir(parents=True, exist_ok=True)
truth = {}


def loss(step, size):
    """A law of size and steps, with noise that every run has of its own."""
    noise = random.Random(f"{step} {size}").gauss(0, 0.01)
    return 1.7 + 20 / size**0.2 + 6 / (step + 3) ** 0.3 + noise


def rate(step, steps):
    return 1e-3 * min(1.0, (step + 1) / 5) * 0.5 * (1 + math.cos(math.pi * step / steps))


def points(size, first, last, every=1):
    """(step, training loss, learning rate, norm of the gradient, held-out loss at every tenth step)."""
    for step in range(first, last + 1, every):
        held_out = loss(step, size) + 0.02 if step % 10 == 0 else None
        yield step, loss(step, size), rate(step, 60), 0.5 + 1 / (step + 1), held_out


def tell(name, rows, config, tokens=None):
    kept = [
        {"step": step, "train": train, "rate": lr, "norm": norm, "val": val}
        for step, train, lr, norm, val in rows
    ]
    truth[name] = {"points": kept, "config": config, "tokens": tokens}


def tensorboard(name, parts, config, crashed=False):
    """Runs of tensorboardX; each part is a file of its own, as after a resumption."""
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    folder = out / "tensorboard" / name
    shutil.rmtree(folder, ignore_errors=True)
    for at, rows in enumerate(parts):
        writer = SummaryWriter(str(folder), filename_suffix=f".{at}")
        if at == 0:
            for summary in hparams(config, {}):
                writer.file_writer.add_summary(summary)
        for step, train, lr, norm, val in rows:
            writer.add_scalar("train/loss", train, step)
            writer.add_scalar("train/learning_rate", lr, step)
            writer.add_scalar("train/grad_norm", norm, step)
            if val is not None:
                writer.add_scalar("eval/loss", val, step)
        writer.close()
        # Names that do not change from one making to the next, in the order in which the files came.
        made = max(folder.glob("events.*"), key=lambda path: path.stat().st_mtime_ns)
        made.rename(folder / f"events.out.tfevents.{1700000000 + at}.host")
    if crashed:
        last = sorted(folder.glob("events.*"))[-1]
        data = last.read_bytes()
        last.write_bytes(data[:-9])


def wandb(name, rows, config, exit_code=0):
    os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=str(out), WANDB_DISABLE_STATS="true")
    import wandb as library

    settings = library.Settings(x_disable_stats=True, x_disable_meta=True, console="off", disable_git=True)
    run = library.init(project="laws", name=name, id=name, config=config, settings=settings)
    for step, train, lr, norm, val in rows:
        logged = {"train": {"loss": train}, "lr": lr, "grad_norm": norm, "train/global_step": step}
        if val is not None:
            logged["val/loss"] = val
        run.log(logged)
    run.finish(exit_code=exit_code)


def hugging_face(name, rows, every, seen):
    from transformers import TrainerState

    state = TrainerState(max_steps=60, num_train_epochs=1, train_batch_size=8, logging_steps=1)
    folder = out / "hugging_face" / name
    shutil.rmtree(folder, ignore_errors=True)
    for step, train, lr, norm, val in rows:
        state.global_step = step
        entry = {"epoch": step / 60, "grad_norm": norm, "learning_rate": lr, "loss": train, "num_input_tokens_seen": seen * step, "step": step}
        state.log_history.append(entry)
        if val is not None:
            state.log_history.append({"epoch": step / 60, "eval_loss": val, "eval_runtime": 1.0, "step": step})
        if step % every == 0:
            checkpoint = folder / f"checkpoint-{step}"
            checkpoint.mkdir(parents=True)
            state.save_to_json(str(checkpoint / "trainer_state.json"))


def weights(folder, shapes):
    """The header of a file of weights, as safetensors writes it, and its bytes."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        length = 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + length]}
        at += length
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


def lightning(name, rows, config):
    from lightning.fabric.loggers import CSVLogger

    logger = CSVLogger(str(out), name="lightning", version=name)
    for step, train, lr, norm, val in rows:
        logger.log_metrics({"train_loss": train, "lr-AdamW": lr, "grad_norm": norm, "epoch": 0}, step=step)
        if val is not None:
            logger.log_metrics({"val_loss": val, "epoch": 0}, step=step)
    logger.save()
    (out / "lightning" / name / "hparams.yaml").write_text("".join(f"{key}: {value}\n" for key, value in config.items()))


def mlflow(name, rows, config):
    import mlflow as library

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    library.set_tracking_uri((out / "mlruns").as_uri())
    library.set_experiment("laws")
    with library.start_run(run_name=name):
        library.log_params(config)
        for step, train, lr, norm, val in rows:
            library.log_metrics({"train/loss": train, "lr": lr, "grad_norm": norm}, step=step)
            if val is not None:
                library.log_metrics({"val_loss": val}, step=step)


def attempt(what, make):
    try:
        make()
    except ImportError as error:
        print(f"{what}: {error}; left out", file=sys.stderr)


def main():
    small, large = {"n_params": 100000, "batch_tokens": 4096}, {"n_params": 400000, "batch_tokens": 4096}

    def of_tensorboard():
        whole = list(points(1e5, 1, 60))
        tensorboard("small", [whole], small)
        tell("tensorboard/small", whole, small)
        # Stopped at step 40, resumed from a state of step 30.
        before, after = list(points(4e5, 1, 40)), [(s, t + 0.001, r, n, v) for s, t, r, n, v in points(4e5, 31, 60)]
        tensorboard("resumed", [before, after], large)
        tell("tensorboard/resumed", before[:30] + after, large)
        tensorboard("crashed", [whole[:45]], small, crashed=True)
        # The last number that was written is the norm of step 45.
        rows = [(s, t, r, n if s < 45 else None, v) for s, t, r, n, v in whole[:45]]
        tell("tensorboard/crashed", rows, small)

    def of_wandb():
        shutil.rmtree(out / "wandb", ignore_errors=True)
        for name, size, config in [("small", 1e5, small), ("large", 4e5, large)]:
            rows = list(points(size, 1, 60))
            wandb(name, rows, {**config, "model": {"layers": 2, "kind": "gpt"}})
            tell(f"wandb/{name}", rows, config)
        for path in list((out / "wandb").iterdir()):
            if path.is_symlink() or path.is_file():
                path.unlink()
        for path in (out / "wandb").iterdir():
            for extra in ("files", "logs", "tmp"):
                shutil.rmtree(path / extra, ignore_errors=True)
            path.rename(out / "wandb" / ("offline-run-20260101_000000-" + path.name.split("-")[-1]))
        # A crash in the middle of a record.
        source = out / "wandb/offline-run-20260101_000000-small/run-small.wandb"
        crashed = out / "wandb-crashed" / "run-small.wandb"
        crashed.parent.mkdir(exist_ok=True)
        data = source.read_bytes()
        crashed.write_bytes(data[: 2 * len(data) // 3])

    def of_hugging_face():
        rows = list(points(1e5, 1, 60))
        hugging_face("small", rows, 20, 4096)
        tell("hugging_face/small", rows, {}, tokens=4096)
        weights(out / "hugging_face/small/checkpoint-60", {"wte": [100, 8], "h.0.w": [8, 32], "b": []})

    def of_lightning():
        rows = list(points(1e5, 0, 59))
        lightning("version_0", rows, {**small, "lr": 1e-3})
        tell("lightning/version_0", rows, small)

    def of_mlflow():
        shutil.rmtree(out / "mlruns", ignore_errors=True)
        rows = list(points(1e5, 1, 60))
        mlflow("small", rows, small)
        # What tells of the machine that made them.
        for extra in [*(out / "mlruns").glob("*/*/tags"), *(out / "mlruns").glob("*/*/artifacts"), out / "mlruns/0", out / "mlruns/.trash"]:
            shutil.rmtree(extra, ignore_errors=True)
        for meta in (out / "mlruns").glob("**/meta.yaml"):
            lines = meta.read_text().splitlines()
            kept = [line for line in lines if not line.startswith(("artifact", "user", "source"))]
            meta.write_text("\n".join(kept) + "\n")
        tell("mlruns/small", rows, small)

    attempt("TensorBoard", of_tensorboard)
    attempt("W&B", of_wandb)
    attempt("Hugging Face", of_hugging_face)
    attempt("Lightning", of_lightning)
    attempt("MLflow", of_mlflow)
    (out / "truth.json").write_text(json.dumps(truth, indent=0) + "\n")


main()
