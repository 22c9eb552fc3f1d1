//! The packages that a registry has.

use std::path::PathBuf;

use crate::root;

/// A package that is published.
pub struct Published {
    pub name: &'static str,
    /// Its folder in the repository.
    pub folder: &'static str,
    /// The folder that its workspace is built in.
    pub target: &'static str,
    /// Arguments by which cargo finds packages of another workspace that no registry has yet.
    pub patches: &'static [&'static str],
    /// Its features that some of its public items need.
    pub labels: &'static [&'static str],
}

pub const PUBLISHED: &[Published] = &[
    Published {
        name: "corepool",
        folder: "core",
        target: "target",
        patches: &[],
        labels: &["remote", "sim"],
    },
    Published {
        name: "corepool-std",
        folder: "std-adapter",
        target: "target",
        patches: &[],
        labels: &["process", "remote"],
    },
    Published {
        name: "corepool-sim",
        folder: "std-adapter/sim",
        target: "target/sim",
        patches: &[
            "--config=patch.crates-io.corepool.path=\"core\"",
            "--config=patch.crates-io.corepool-std.path=\"std-adapter\"",
        ],
        labels: &[],
    },
];

impl Published {
    /// The folder that its documentation is built in, by a compiler that may use what is not stable.
    pub fn described(&self) -> PathBuf {
        root().join(self.target).join("api")
    }

    pub fn manifest(&self) -> PathBuf {
        root().join(self.folder).join("Cargo.toml")
    }

    /// The name of the library in programs, and in the folders of its documentation.
    pub fn library(&self) -> String {
        self.name.replace('-', "_")
    }
}
