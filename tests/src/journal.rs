//! What the server wrote into its journal.

use std::time::{Duration, Instant};

use truefill_journal::{OutcomeRow, Query, Reader, SuggestionRow};

use crate::client::Server;

/// Rows are committed within 200 ms, on a machine that has time.
const PATIENCE: Duration = Duration::from_secs(10);

impl Server {
    /// The journal's rows in the order of their times, once they fit.
    ///
    /// # Panics
    /// Where they do not in time.
    pub fn rows(&self, fit: impl Fn(&[SuggestionRow]) -> bool) -> Vec<SuggestionRow> {
        let path = self.home().join("journal.sqlite3");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = match Reader::open(&path) {
                Ok(reader) => read(&reader),
                // It is made in the background.
                Err(_) => Vec::new(),
            };
            if fit(&rows) {
                return rows;
            }
            assert!(Instant::now() < deadline, "the journal has {rows:#?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The outcomes of a suggestion, once there are so many.
    pub fn outcomes(&self, id: &str, count: usize) -> Vec<OutcomeRow> {
        let of = |rows: &[SuggestionRow]| -> Vec<OutcomeRow> {
            let row = rows.iter().find(|row| row.id.to_string() == id);
            row.map(|row| row.outcomes.clone()).unwrap_or_default()
        };
        of(&self.rows(|rows| of(rows).len() >= count))
    }
}

fn read(reader: &Reader) -> Vec<SuggestionRow> {
    let rows = reader
        .suggestions(Query::default())
        .expect("the journal can be read");
    rows.collect::<Result<_, _>>().expect("rows can be read")
}
