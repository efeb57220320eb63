//! Many keys.

use crate::common::{mk_at, mk_flagged, mk_noticed, open, state, values};
use keysweep_core::state::Actor;

/// Not a benchmark: enough keys that every batch is full many times over.
#[tokio::test]
async fn ten_thousand_keys_are_kept_reopened_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.0;
    for first in (0..10_000).step_by(1_000) {
        let bodies = (first..first + 1_000).flat_map(|key| [mk_flagged(key), mk_noticed(key)]).collect();
        store.record(mk_at(1), &Actor::Keysweep, bodies).await.unwrap();
    }
    let before = state(&store);
    store.close().await.unwrap();
    let (store, opened) = open(dir.path()).await;
    assert_eq!((opened.rebuilt, opened.caught_up), (None, 0));
    assert!(state(&store) == before);
    store.close().await.unwrap();
    // 754 bytes each when this was written: far from a second piece.
    let records = values(dir.path(), "records");
    assert_eq!(records.len(), 10_000);
    assert!(records.iter().map(|(_, json)| json.len()).sum::<usize>() / records.len() < 1_000);
    let rebuilt = keysweep_store::rebuild(dir.path()).unwrap();
    assert_eq!((rebuilt.entries, rebuilt.records), (20_000, 10_000));
}
