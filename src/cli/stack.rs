//! What the command line says of the stack.

use super::failure::Failure;
use crate::sandbox::docker::Image;
use crate::sandbox::external::Urls;
use crate::sandbox::{Backend, ConfigError, StackConfig};

// No doc comment: clap would take it for that of the command.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StackArgs {
    /// What Postgres, Redis and Kafka run as: auto, process, docker or external; also FIREASSAY_BACKEND; as target.toml says
    /// unless told, and auto if it says nothing.
    ///
    /// auto takes Docker if a daemon answers and has the images or can download them, else processes, and says which.
    /// external takes those that run already, which --postgres, --redis and --kafka name; naming them is enough.
    #[arg(long, value_name = "BACKEND", value_parser = read_backend)]
    backend: Option<Backend>,
    /// An image for a server that runs in a container, as in `postgres=postgres:17.5`; also FIREASSAY_IMAGE_POSTGRES,
    /// FIREASSAY_IMAGE_REDIS and FIREASSAY_IMAGE_KAFKA.
    #[arg(long, num_args = 1.., value_name = "SERVER=IMAGE", value_parser = read_image)]
    image: Vec<(Server, Image)>,
    /// A Postgres that runs already, as in `postgres://user:password@127.0.0.1:5432/postgres`, whose user may create databases.
    /// FIREASSAY_POSTGRES is the better place for a password: other users of the machine see command lines.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// A Redis that runs already, as in `redis://:password@127.0.0.1:6379`; also FIREASSAY_REDIS.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// A Kafka that runs already, as in `127.0.0.1:9092`; also FIREASSAY_KAFKA.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Take servers that are neither on this machine nor in a private network; also FIREASSAY_NOT_PRODUCTION=1.
    #[arg(long)]
    i_know_this_is_not_production: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Postgres,
    Redis,
    Kafka,
}

impl StackArgs {
    /// The command line before the environment.
    pub(super) fn config(&self) -> Result<StackConfig, Failure> {
        let unusable = |error: ConfigError| Failure::usage(error.to_string(), "mend or unset that variable");
        let mut config = StackConfig::from_env().map_err(unusable)?;
        let urls = Urls {
            postgres: self.postgres.clone(),
            redis: self.redis.clone(),
            kafka: self.kafka.clone(),
            not_production: self.i_know_this_is_not_production,
        };
        if self.backend.is_none() && !urls.are_given() {
            config = config.agreed().map_err(unusable)?;
        }
        let implied = urls.are_given().then_some(Backend::External);
        if let (Some(backend), true) = (self.backend.filter(|backend| *backend != Backend::External), urls.are_given())
        {
            return Err(Failure::usage(
                format!(
                    "--postgres, --redis and --kafka name servers that run already, and --backend {backend} starts its own"
                ),
                "leave the one or the other out, or say --backend external",
            ));
        }
        config.backend = self.backend.or(implied).or(config.backend);
        config.external = urls.or(config.external);
        for (server, image) in &self.image {
            let image = Some(image.clone());
            match server {
                Server::Postgres => config.images.postgres = image,
                Server::Redis => config.images.redis = image,
                Server::Kafka => config.images.kafka = image,
            }
        }
        Ok(config)
    }
}

fn read_backend(text: &str) -> Result<Backend, String> {
    text.parse().map_err(|()| {
        let known = Backend::ALL.map(|backend| backend.to_string());
        format!("there is no such backend; write one of {}", known.join(", "))
    })
}

fn read_image(text: &str) -> Result<(Server, Image), String> {
    let (server, image) = text.split_once('=').ok_or("write it as SERVER=IMAGE, as in `redis=redis:7.2.5`")?;
    let server = match server {
        "postgres" => Server::Postgres,
        "redis" => Server::Redis,
        "kafka" => Server::Kafka,
        _ => return Err(format!("there is no server `{server}`; there are postgres, redis and kafka")),
    };
    if image.is_empty() || image.contains(char::is_whitespace) {
        return Err(format!("`{image}` is not the name of an image"));
    }
    Ok((server, Image::named(image)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_images_are_read_from_pairs() {
        assert_eq!(read_image("redis=a/b:1"), Ok((Server::Redis, Image::named("a/b:1"))));
        for wrong in ["redis", "mysql=a", "kafka=", "kafka=a b"] {
            assert!(read_image(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read_backend("docker"), Ok(Backend::Docker));
        assert!(read_backend("podman").unwrap_err().contains("auto, process, docker, external"));
    }
}
