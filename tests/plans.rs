//! The same seed gives the same plan, whether a reference target runs as processes or as containers.

use std::path::Path;

use fireassay::fault::resolve;
use fireassay::profile;
use fireassay::target::Target;

/// Each reference target's folder, and the profile's suite.
const TARGETS: [(&str, &str, &str); 3] = [
    ("targets/reference", "ledger", include_str!("../suites/ledger.toml")),
    ("targets/orders", "orders", include_str!("../suites/orders.toml")),
    ("targets/ordering", "ordering", include_str!("../suites/ordering.toml")),
];

/// Seeds that are tried for each case.
const SEEDS: u64 = 5;

#[test]
fn a_seed_gives_one_plan_for_processes_and_for_containers() {
    for (folder, profile, suite) in TARGETS {
        let load = |file| Target::load(&Path::new(folder).join(file)).expect("the manifest can be read");
        let (processes, containers) = (load("target.toml"), load("image.toml"));
        assert!(processes.roles.iter().all(|role| role.container.is_none()), "{folder} has processes");
        assert!(containers.roles.iter().all(|role| role.container.is_some()), "{folder} has containers");
        // What a storm is drawn from.
        assert_eq!(processes.terrain(), containers.terrain(), "{folder}");
        let suite = profile::named(profile).and_then(|profile| profile.read_suite("suite", suite).ok());
        let cases = suite.expect("there is such a suite").cases;
        let mut drawn = Vec::new();
        for (case, seed) in cases.iter().flat_map(|case| (1..=SEEDS).map(move |seed| (case, seed))) {
            let [one, other] = [&processes, &containers]
                .map(|target| resolve(&case.faults, &target.instances(), seed).expect("the case fits the target"));
            assert_eq!(one, other, "{profile} {} {seed}", case.id);
            drawn.push(one);
        }
        drawn.dedup();
        assert!(drawn.len() > SEEDS as usize, "seeds make a difference, or nothing is compared");
    }
}
