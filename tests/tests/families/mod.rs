//! Runs a family of workloads as a test.
//!
//! Must never hide a failure's story.

use durability_testkit::proof::{Size, family};
use durability_testkit::simulated::Statistics;

/// The family of this name finds no law broken.
pub(crate) fn survives(name: &str) -> Statistics {
    let Some(family) = family(name) else { panic!("there is no family {name}") };
    match family.run(&Size::test()) {
        Ok(sum) => {
            println!("{name}: {sum}");
            sum
        }
        Err(broken) => panic!("{name}: {broken}"),
    }
}
