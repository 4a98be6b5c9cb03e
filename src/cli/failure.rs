//! How a command fails: the exit code, and the chain of causes on standard error.

use super::colour;
use crate::results::FolderError;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// Bad usage or input: exit 2.
    Input(anyhow::Error),
    /// The work failed: exit 1.
    Work(anyhow::Error),
    /// What was looked for is there, as `doctor --fail-on` asks: exit 3.
    Found(String),
    /// Interrupted; run the same command again to resume: exit 75.
    Interrupted(String),
}

pub(super) type Outcome = Result<(), Failure>;

impl Failure {
    /// Says what went wrong and gives the exit code.
    pub(super) fn report(&self) -> u8 {
        let said = format!("{} {}", colour::error("error:"), self.words());
        let (code, text) = match self {
            Self::Input(_) => (2, said),
            Self::Work(_) => (1, said),
            Self::Found(text) => (3, text.clone()),
            Self::Interrupted(text) => (75, text.clone()),
        };
        eprintln!("{text}");
        code
    }

    /// What went wrong.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Input(error) | Self::Work(error) => without_repeats(error),
            Self::Found(text) | Self::Interrupted(text) => text.clone(),
        }
    }
}

/// The chain of causes; a cause that the text before it already tells is not told again.
fn without_repeats(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        before if before.contains(&cause) => told,
        before => format!("{before}: {cause}"),
    })
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

impl From<FolderError> for Failure {
    /// What a disk or another driver refuses is no fault of the input; a damaged table or a missing sweep is.
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Io { .. } | FolderError::Locked { .. } => Self::Work(error.into()),
            FolderError::Table(_) | FolderError::Damaged { .. } | FolderError::NoSweep { .. } | FolderError::Unpackable { .. } => {
                Self::Input(error.into())
            }
        }
    }
}

/// Marks errors that the user's input caused.
pub(super) trait OrInput<T> {
    /// The value, or exit 2 with the error.
    fn or_input(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrInput<T> for Result<T, E> {
    fn or_input(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Input(error.into()))
    }
}

/// Marks errors that the work ran into.
pub(super) trait OrWork<T> {
    /// The value, or exit 1 with the error.
    fn or_work(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrWork<T> for Result<T, E> {
    fn or_work(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Work(error.into()))
    }
}
