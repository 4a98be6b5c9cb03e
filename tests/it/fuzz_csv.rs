//! The reader of foreign tables on tables of every make, mutated byte by byte: it reads or refuses, and never panics.
//! SCALELAB_FUZZ sets the number of cases (default 50 000; `.ci/long` 1 000 000).
#![expect(clippy::disallowed_methods, reason = "a study whose size is set from outside")]

use scalelab::law::Evidence;
use scalelab::results::{Filter, Wanted, import_bytes};
use scalelab::spec::{FlopRule, Random, SizeMeasure};
use std::path::Path;

/// Tables to start from: every header, number format and quirk that the reader knows.
const SEEDS: [&[u8]; 8] = [
    b"params,tokens,flops,loss\n1.2B,\"3,000,000,000\",2.16e19,2.5\n4e8,8e9,99999999999999999999999,3\n",
    b"\xef\xbb\xbfN,D,C,val_loss\r\n1e6,2e7,1.2e14,3\r\n\r\n2e6,,1.2e14,3\r\n",
    b"x,y,color,Model Size,Training FLOP,hex_color,loss\n1,2,red,1e9,1.2e20,#ff0000,2.5\n",
    b"\"Name\",\"parameter_count\",\"throughput/total_tokens\",\"eval/paloma/macro_loss\",\"throughput/total_gflops\",\"trainer.num_train_steps\"\n\"a\",\"1e8\",\"2e9\",\"3.1\",\"1200000000\",\"5000.0\"\n",
    b"source,dataset,tokens,params,budget,loss,outlier,reason\na,b,2e10,1e9,1e20,2.5,False,\"said \"\"no\"\"\"\n",
    b"run_id,layers,status,params_total,tokens,loss_nats,flops_exact,qk_norm\n2x8,2,finished,5800,1e6,2.1,3e10,true\n2x9,2,diverged,5800,1e6,,3e10,false\n",
    b"h,numl,lr,bs,loss,smooth loss,D,N,D/N\n960,7,0.001,64,2.8,2.81,2e9,2.15e8,9.3\n",
    b"flops_budget,depth,params_total,num_iterations,tokens_trained,val_bpb,seed\n1e18,8,4e7,1000,4e9,0.95,1\n",
];

/// Bytes that mean something to a reader of tables or of numbers.
const TELLING: &[u8] = b",\"\n\r;\t.-+eE_kMBTG0123456789 naninf\xef\xbb\xbf\x00\xff";

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = SEEDS[random.below(SEEDS.len() as u64) as usize].to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let byte = TELLING[random.below(TELLING.len() as u64) as usize];
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at.max(1)),
            4 => {
                // A piece of another table, or of this one, in its place.
                let other = SEEDS[random.below(SEEDS.len() as u64) as usize];
                let from = random.below(other.len() as u64) as usize;
                let to = (from + random.below(20) as usize).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

#[test]
fn tables_of_every_make_are_read_or_refused_and_what_is_read_is_above_zero() {
    let cases: u64 = std::env::var("SCALELAB_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000);
    let mut random = Random::new(0, "fuzz csv");
    let filters = [Filter::equal("dataset", "b")];
    let columns = [("loss".to_owned(), "val_loss".to_owned())];
    let (mut read, mut refused) = (0, 0);
    for case in 0..cases {
        let bytes = mutated(&mut random);
        let wanted = match case % 8 {
            0 => Wanted { filters: &filters, ..Wanted::default() },
            1 => Wanted { columns: &columns, ..Wanted::default() },
            2 => Wanted { by: Some("seed"), ..Wanted::default() },
            _ => Wanted::default(),
        };
        match import_bytes(Path::new("fuzz.csv"), &bytes, wanted) {
            Ok(imported) => {
                read += 1;
                let evidence = Evidence::of(&imported.records, SizeMeasure::AsGiven, FlopRule::AsGiven);
                assert!(evidence.points.iter().all(|p| [p.n, p.d, p.c, p.loss].iter().all(|x| x.is_finite() && *x > 0.0)), "{bytes:?}");
                assert_eq!(evidence.points.len() + evidence.excluded.len(), imported.records.len());
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().starts_with("fuzz.csv"), "{error}");
            }
        }
    }
    // Both roads are trodden; most mutations spoil a table.
    assert!(read > cases / 50 && refused > cases / 50, "{read} read, {refused} refused");
}
