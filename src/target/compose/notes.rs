//! What could not be translated, and where it belongs.

use super::page::Page;

/// Where in the manifest something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Above the first table.
    Top,
    /// `[setup]`.
    Setup,
    /// The role of this name.
    Role(String),
    /// `[kafka]` and `[events]`.
    Topics,
}

/// A thing to say.
#[derive(Clone, Debug)]
struct Note {
    at: At,
    /// Whether the manifest is not finished without it.
    is_to_do: bool,
    text: String,
}

/// All that there is to say, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Vec<Note>);

/// There is no end to what a file can be wrong in.
const NOTES_MAX: usize = 200;

impl Notes {
    /// Something that somebody has to do or to look at.
    pub(super) fn ask(&mut self, at: &At, text: impl Into<String>) {
        self.push(Note { at: at.clone(), is_to_do: true, text: text.into() });
    }

    /// Something of the file that is not in the manifest.
    pub(super) fn left_out(&mut self, at: &At, text: impl Into<String>) {
        self.push(Note { at: at.clone(), is_to_do: false, text: text.into() });
    }

    fn push(&mut self, note: Note) {
        if self.0.len() < NOTES_MAX {
            self.0.push(note);
        } else if self.0.len() == NOTES_MAX {
            let text =
                format!("there is more than {NOTES_MAX} remarks can say; name the services that matter with --service");
            self.0.push(Note { at: At::Top, is_to_do: true, text });
        }
    }

    /// Writes those that belong here.
    pub(super) fn write(&self, at: &At, page: &mut Page) {
        for note in self.0.iter().filter(|note| note.at == *at) {
            let word = if note.is_to_do { "TODO" } else { "left out" };
            page.remark(&format!("{word}: {}", note.text));
        }
    }

    /// Those to do, or the others, each with its place.
    pub(super) fn listed(&self, is_to_do: bool) -> Vec<String> {
        let of_kind = self.0.iter().filter(|note| note.is_to_do == is_to_do);
        of_kind
            .map(|note| match &note.at {
                At::Top => note.text.clone(),
                At::Setup => format!("[setup]: {}", note.text),
                At::Role(name) => format!("[role.{name}]: {}", note.text),
                At::Topics => format!("[kafka]: {}", note.text),
            })
            .collect()
    }
}
