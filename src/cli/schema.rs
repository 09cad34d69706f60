//! `fireassay schema`: JSON Schemas for editors.

use super::failure::Failure;
use super::output::answer;

/// Print the JSON Schema of a file that people write.
///
/// Editors that read TOML with a schema complete its keys and mark its typos.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  fireassay schema target > target.schema.json")]
pub(super) struct Args {
    /// Which file.
    #[arg(value_enum, default_value_t)]
    file: File,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum File {
    /// target.toml: the system under test.
    #[default]
    Target,
}

const TARGET: &str = include_str!("../../schemas/target.schema.json");

pub(super) fn schema(args: &Args) -> Result<u8, Failure> {
    answer(match args.file {
        File::Target => TARGET,
    })?;
    Ok(super::exit::PASS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_is_json() {
        let schema: serde_json::Value = serde_json::from_str(super::TARGET).expect("JSON");
        assert_eq!(schema["required"], serde_json::json!(["name", "profiles", "role"]));
    }
}
