"""Writes the files of this folder, with pandas and pyarrow: `python make.py` (pip install pandas pyarrow).

runs.csv is the truth: forty runs. pandas.parquet is what pandas writes by default; pages.parquet has pages of the second version, zstd,
differences and no dictionaries; groups.parquet has groups of thirteen rows, gzip and an index; odd.parquet has columns that a table
cannot hold beside those that it can.
With the path of a file that `scalelab export --to parquet` wrote, says what pyarrow reads in it.
"""

import decimal
import pathlib
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent

if len(sys.argv) > 1:
    table = pq.read_table(sys.argv[1]).to_pandas()
    print(table.dtypes.to_string())
    print(table.describe().to_string())
    sys.exit()

rows = []
for i in range(40):
    params = [10, 30, 100, 300][i % 4] * 10**6
    tokens = [1e9, 2.5e9, 4e9, 8e9, 1.6e10][i // 8]
    loss = round(1.69 + 406.4 * params**-0.34 + 410.7 * tokens**-0.28 + 0.001 * (i % 3), 5)
    rows.append(
        {
            "run": f"run {i}",
            "params": params,
            "tokens": tokens,
            "loss": None if i in (3, 17) else loss,
            "dataset": ["pile", "c4"][i // 4 % 2],
            "steps": 1000 + 10 * i,
            "seed": i % 5,
            "ok": i % 7 != 0,
        }
    )
frame = pd.DataFrame(rows)
frame.assign(ok=frame["ok"].map({True: "true", False: "false"})).to_csv(here / "runs.csv", index=False)
frame.to_parquet(here / "pandas.parquet", index=False)
frame.set_index("run", drop=False).rename_axis(None).to_parquet(here / "groups.parquet", compression="gzip", row_group_size=13)
pq.write_table(
    pa.Table.from_pandas(frame.astype({"steps": "int32"}), preserve_index=False),
    here / "pages.parquet",
    compression="zstd",
    data_page_version="2.0",
    use_dictionary=False,
    column_encoding={"steps": "DELTA_BINARY_PACKED", "params": "DELTA_BINARY_PACKED"},
    data_page_size=64,
    write_batch_size=8,
)
odd = pa.table(
    {
        "params": pa.array(frame["params"].astype("uint32")),
        "tokens": pa.array([decimal.Decimal(str(t)) / 4 for t in frame["tokens"]], pa.decimal128(18, 2)),
        "metrics": pa.array([{"loss": row["loss"]} for row in rows]),
        "history": pa.array([[1.0, 2.0]] * 40),
        "when": pa.array([i * 10**6 for i in range(40)], pa.timestamp("us")),
        "split": pa.array([0.5 * i for i in range(40)]),
    }
)
pq.write_table(odd, here / "odd.parquet", column_encoding={"split": "BYTE_STREAM_SPLIT"}, use_dictionary=["params"], store_decimal_as_integer=True)
