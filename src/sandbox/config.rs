//! Placeholder for the part `stack`.

/// Settings of the stack.
#[derive(Clone, Debug, Default)]
pub struct StackConfig {}

/// A variable of the environment that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl StackConfig {
    /// Reads the environment.
    ///
    /// # Errors
    /// When a variable is set to something that cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {})
    }
}
