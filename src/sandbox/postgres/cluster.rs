//! The files of a Postgres server that is a process: data directory, settings, log.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{SERVER, SETTINGS, USER, kept};
use crate::sandbox::needs::PostgresPrograms;
use crate::sandbox::place::Place;
use crate::sandbox::service::{plain_env, socket_path, write};
use crate::sandbox::{Port, ProcessSpec, Processes, SpawnError, StackConfig, StartError};

/// `initdb` takes a third of a second in memory; a slow disk and a busy machine need more.
const INITDB_DEADLINE: Duration = Duration::from_secs(60);
const LOG_LINES: usize = 15;

/// A data directory that has been made.
#[derive(Clone, Debug)]
pub(super) struct Initialised {
    folder: PathBuf,
    postgres: PathBuf,
    user: Option<(u32, u32)>,
    password: String,
    name: String,
}

/// Makes a data directory: a copy of one that is kept, else by `initdb`.
pub(super) async fn initialise(
    config: &StackConfig,
    programs: &PostgresPrograms,
    place: &Place,
    processes: &Processes,
) -> Result<Initialised, StartError> {
    let folder = place.path().join("postgres");
    let user = programs.user.as_ref().map(|user| (user.uid, user.gid));
    // Whoever is a superuser of Postgres can run programs as its user. Others on this machine must not be.
    let password = format!("{:032x}", rand::random::<u128>());
    let name = place.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = Initialised { folder: folder.clone(), postgres: programs.postgres.clone(), user, password, name };

    let kept = kept::folder(config, programs);
    if let Some(kept) = kept.as_ref().filter(|kept| kept.is_dir()) {
        let restored = kept::restore(kept, &folder, user).and_then(|()| std::fs::read_to_string(files.password_file()));
        if let Ok(password) = restored {
            files.password = password;
            processes.guard_postmaster(&files.lock_file());
            return Ok(files);
        }
        // Half a copy, perhaps. If it cannot be removed, initdb says so.
        let _ = std::fs::remove_dir_all(&folder);
    }
    processes.guard_postmaster(&files.lock_file());
    initdb(&files, programs, processes).await?;
    if let Some(kept) = kept {
        let _ = kept::keep(&folder, &kept);
    }
    Ok(files)
}

/// Runs `initdb`, as another user when we are root, because Postgres refuses to run as root.
async fn initdb(files: &Initialised, programs: &PostgresPrograms, processes: &Processes) -> Result<(), StartError> {
    let (folder, password_file) = (&files.folder, files.password_file());
    let unwritable = |why| StartError::Files { server: SERVER, path: folder.clone(), why };
    DirBuilder::new().mode(0o700).create(folder).map_err(unwritable)?;
    write(SERVER, &password_file, &files.password)?;
    if let Some((uid, gid)) = files.user {
        chown(folder, Some(uid), Some(gid))
            .and_then(|()| chown(&password_file, Some(uid), Some(gid)))
            .map_err(unwritable)?;
    }

    let args = [
        "--pgdata=data",
        "--pwfile=password",
        &format!("--username={USER}"),
        // Checked against a stored hash like any other, but costs the client nothing: with SCRAM, an unoptimised
        // client spends tens of milliseconds on each connection, and a restart makes all of them reconnect.
        "--auth=password",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ];
    let initdb = ProcessSpec {
        name: "initdb".to_owned(),
        program: programs.initdb.clone(),
        args: args.map(str::to_owned).to_vec(),
        log: folder.join("initdb.log"),
        ..files.spec()
    };
    let process = processes.spawn(&initdb).map_err(|error| files.explained(error.into()))?;
    let log = || process.log_tail(LOG_LINES);
    match process.wait(INITDB_DEADLINE).await {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(StartError::Ended { server: "initdb", status, log: log() }),
        None => {
            let probe = "it still runs".to_owned();
            Err(StartError::NotReady { server: "initdb", within: INITDB_DEADLINE, probe, log: log() })
        }
    }
}

impl Initialised {
    /// Writes the settings, replacing those of an earlier try with another port.
    pub(super) fn configure(&self, port: &Port) -> Result<ProcessSpec, StartError> {
        let own = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.number().to_string()),
            // Seen from its data directory.
            ("unix_socket_directories", if self.socket(port).is_some() { ".".to_owned() } else { String::new() }),
            ("cluster_name", self.name.clone()),
            // In files of the data directory, so that a kill leaves nothing elsewhere.
            ("dynamic_shared_memory_type", "mmap".to_owned()),
        ];
        let common = SETTINGS.map(|(name, value)| (name, value.to_owned()));
        let text: String = own.into_iter().chain(common).map(|(name, value)| format!("{name} = '{value}'\n")).collect();
        // Read after postgresql.conf and always there.
        write(SERVER, &self.data().join("postgresql.auto.conf"), &text)?;
        Ok(self.spec())
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// How the titles of all its processes but the first begin.
    pub(super) fn title(&self) -> String {
        format!("postgres: {}: ", self.name)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its local socket, where its path is short enough for one.
    pub(super) fn socket(&self, port: &Port) -> Option<PathBuf> {
        socket_path(self.data().join(format!(".s.PGSQL.{}", port.number())))
    }

    fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }

    fn lock_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// A refusal for want of permission mostly means that the temporary directory is below a folder that only root may enter.
    pub(super) fn explained(&self, error: StartError) -> StartError {
        match error {
            StartError::Spawn(SpawnError::Refused { why, .. }) if why.kind() == ErrorKind::PermissionDenied => {
                StartError::Files { server: SERVER, path: self.folder.clone(), why }
            }
            error => error,
        }
    }

    pub(super) fn log(&self) -> PathBuf {
        // Beside the folder, which belongs to another user.
        self.folder.with_extension("log")
    }

    fn spec(&self) -> ProcessSpec {
        ProcessSpec {
            name: SERVER.to_owned(),
            program: self.postgres.clone(),
            args: vec!["-D".to_owned(), text(&self.data())],
            env: plain_env(),
            clear_env: true,
            directory: self.folder.clone(),
            log: self.log(),
            user: self.user,
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
