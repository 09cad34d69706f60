//! What of a target faults can be put on, as far as its manifest shows.

use std::collections::BTreeSet;

use super::manifest::{Role, Target};
use super::template::variables;
use crate::fault::{Edge, Node, Terrain};
use crate::history::InstanceName;

/// The servers of the stack and the variables by which a manifest speaks of them.
const SERVERS: [(&str, Node); 3] = [("postgres", Node::Postgres), ("redis", Node::Redis), ("kafka", Node::Kafka)];

impl Target {
    /// Its processes, the links from callers to them, and those to the servers whose addresses they are given.
    #[must_use]
    pub fn terrain(&self) -> Terrain {
        let asked = self.fronts().into_iter().map(|name| Edge { from: Node::Client, to: Node::Instance(name) });
        let asking = self.roles.iter().flat_map(|role| {
            let used = servers(role);
            (1..=role.instances).flat_map(move |number| {
                let from = Node::Instance(InstanceName { role: role.name.clone(), number });
                used.clone().into_iter().map(move |to| Edge { from: from.clone(), to })
            })
        });
        Terrain { instances: self.instances(), edges: asked.chain(asking).collect() }
    }
}

fn servers(role: &Role) -> Vec<Node> {
    let texts = role.command.iter().chain(role.env.values());
    // What cannot be read was refused with the manifest.
    let spoken: BTreeSet<String> = texts.filter_map(|text| variables(text).ok()).flatten().collect();
    SERVERS.into_iter().filter(|(name, _)| spoken.contains(*name)).map(|(_, node)| node).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_links_are_those_that_the_manifest_speaks_of() {
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets/reference");
        let terrain = Target::load(&reference).expect("the reference").terrain();
        let edges: Vec<String> = terrain.edges.iter().map(ToString::to_string).collect();
        assert_eq!(
            edges,
            [
                "client->api-1",
                "client->api-2",
                "api-1->postgres",
                "api-1->redis",
                "api-1->kafka",
                "api-2->postgres",
                "api-2->redis",
                "api-2->kafka",
                "relay-1->postgres",
                "relay-1->kafka",
            ]
        );
        let instances: Vec<String> = terrain.instances.iter().map(ToString::to_string).collect();
        assert_eq!(instances, ["api-1", "api-2", "relay-1"]);
    }
}
