//! How a child is started.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{self, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::process::{argument, descriptors::close_in_child, question::Question};

/// The program that a pool's children run, and its environment.
pub(in crate::process) struct WorkerCommand {
    pub(in crate::process) program: Program,
    pub(in crate::process) arguments: Vec<OsString>,
    pub(in crate::process) environment: Vec<(OsString, OsString)>,
    /// The argument of the children's initializer, as it is encoded.
    pub(in crate::process) argument: Option<String>,
    pub(in crate::process) own_process_group: bool,
    pub(in crate::process) frame_bytes: usize,
}

/// The program that the children run.
pub(in crate::process) struct Program {
    file: PathBuf,
    /// The name that the children are told; the file's if `None`.
    name: Option<OsString>,
}

impl Program {
    pub(in crate::process) fn new(file: PathBuf) -> Self {
        Self { file, name: None }
    }

    /// The program of this process.
    pub(in crate::process) fn own() -> io::Result<Self> {
        let file = std::env::current_exe()?;
        if cfg!(target_os = "linux") {
            // The link is to what this process runs, even if another file has the name by now.
            let name = std::env::args_os().next().unwrap_or(file.into_os_string());
            let file = PathBuf::from("/proc/self/exe");
            return Ok(Self {
                file,
                name: Some(name),
            });
        }
        Ok(Self::new(file))
    }
}

impl WorkerCommand {
    /// The file that the children run, for messages.
    pub(super) fn file(&self) -> path::Display<'_> {
        self.program.file.display()
    }

    /// Starts a child that is to be a worker, with `socket` as its standard input and a pipe as its standard error.
    pub(super) fn spawn(&self, socket: UnixStream) -> io::Result<Child> {
        let (variable, question) = Question::new(&socket, self.frame_bytes)?.variable();
        let mut command = Command::new(&self.program.file);
        if let Some(name) = &self.program.name {
            command.arg0(name);
        }
        if self.own_process_group {
            command.process_group(0);
        }
        match &self.argument {
            Some(argument) => command.env(argument::VARIABLE, argument),
            // That of this process, if it is a worker, is not its children's.
            None => command.env_remove(argument::VARIABLE),
        };
        close_in_child(&mut command);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(variable, question)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stderr(Stdio::piped())
            .spawn()
    }
}
