//! Which faults are not for servers that somebody else runs.

use crate::fault::{Fault, Plan, ServerFault, Step};

/// Why a plan cannot be carried out on them; `None` when it can.
pub(in crate::sandbox) fn refused(plan: &Plan) -> Option<String> {
    plan.steps.iter().find_map(|step| {
        Some(format!(
            "`{step}` is for servers that fireassay has started: {}; --backend process or docker can",
            why(step)?
        ))
    })
}

fn why(Step { fault, .. }: &Step) -> Option<&'static str> {
    match fault {
        // Exactly what reaches beyond the run's own database, keys, topics and groups.
        fault if fault.is_exclusive() => Some("others may use those that are external"),
        // The deed would be harmless, but nobody could tell whether it made a difference.
        Fault::Server(ServerFault::ReadOnlyPostgres) => {
            Some("what was refused is in the server's log, which is out of reach where it is external")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultSpec, resolve};

    fn why(inject: &str) -> Option<String> {
        let toml = format!("when = {{ operations = [1, 1] }}\ninject = {inject}");
        let spec: FaultSpec = toml::from_str(&toml).unwrap_or_else(|error| panic!("{inject}: {error}"));
        refused(&resolve(&[spec], &["api-1".to_owned().try_into().unwrap()], 1).unwrap())
    }

    #[test]
    fn what_reaches_beyond_the_run_is_refused_and_nothing_else() {
        for inject in [
            "\"kill-postgres\"",
            "{ kill-redis = \"kept\" }",
            "{ kill-redis = \"lost\" }",
            "\"kill-kafka\"",
            "\"redis-memory-limit\"",
            "\"read-only-postgres\"",
        ] {
            let why = why(inject).unwrap_or_default();
            assert!(why.contains("--backend process"), "{inject}: {why}");
        }
        for inject in [
            "{ kill = \"api-1\" }",
            "{ cut = \"api-1->postgres\" }",
            "\"flush-redis\"",
            "{ evict = { share = 0.5 } }",
            "\"terminate-backends\"",
            "{ reproduce = { count = 1 } }",
            "{ poison = {} }",
            "{ rewind = { group = \"g\", to = \"beginning\" } }",
            "{ phantom-member = { group = \"g\" } }",
        ] {
            assert_eq!(why(inject), None, "{inject}");
        }
    }
}
