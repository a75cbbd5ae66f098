use super::*;

fn intent(name: u8, reserve: Nanos) -> Intent {
    Intent {
        key: [name; 32],
        subject: format!("s{name}"),
        model: "m".into(),
        prompt_version: "v".into(),
        reserve,
    }
}

fn answer(cost: Nanos) -> Outcome {
    Outcome::Answered {
        reply: "{}".into(),
        cost,
        input_tokens: 3,
        output_tokens: 2,
    }
}

async fn open(ledger: &Ledger, intent: Intent) -> calls::Open {
    match ledger.begin(intent).await.unwrap() {
        Begun::Open(open) => open,
        _ => panic!("expected an open attempt"),
    }
}

#[tokio::test]
async fn the_budget_is_reserved_before_and_settled_after() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("l.db"), Some(10e-9)).unwrap();
    let first = open(&ledger, intent(1, 6)).await;
    // 6 of 10 are reserved: 11 can never be, 8 may be once the first is settled.
    let never = ledger.begin(intent(2, 11)).await.unwrap();
    assert!(matches!(never, Begun::Broke { left: 10 }));
    let mut second = std::pin::pin!(open(&ledger, intent(2, 8)));
    let soon = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(soon, &mut second).await.is_err());
    first.settle(answer(2)).await.unwrap();
    // 2 are spent.
    let second = second.await;
    second.settle(Outcome::Lost).await.unwrap();
    let broke = ledger.begin(intent(3, 1)).await.unwrap();
    assert!(matches!(broke, Begun::Broke { left: 0 }));
    // What is answered costs nothing more.
    let kept = ledger.begin(intent(1, 6)).await.unwrap();
    assert!(matches!(kept, Begun::Kept(_)));
    let totals = ledger.totals().await.unwrap();
    assert_eq!((totals.spent, totals.lost, totals.replies), (10, 8, 1));
}

#[tokio::test]
async fn what_was_under_way_counts_as_spent_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.db");
    let ledger = Ledger::open(&path, None).unwrap();
    let under_way = open(&ledger, intent(1, 7)).await;
    // A crash: nothing is settled, and nothing is dropped.
    std::mem::forget(under_way);
    assert!(matches!(
        Ledger::open(&path, None),
        Err(LedgerError::InUse { .. })
    ));
    let copy = folder.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(name(&path), name(&copy)).unwrap();
    }
    let again = Ledger::open(&copy, Some(10e-9)).unwrap();
    let totals = again.totals().await.unwrap();
    assert_eq!((totals.spent, totals.attempts_lost), (7, 1));
    assert!(matches!(
        again.begin(intent(1, 4)).await.unwrap(),
        Begun::Broke { left: 3 }
    ));
}

#[tokio::test]
async fn an_attempt_that_is_dropped_is_lost_and_failures_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("l.db"), None).unwrap();
    drop(open(&ledger, intent(1, 7)).await);
    let again = open(&ledger, intent(1, 7)).await;
    again.settle(Outcome::Free).await.unwrap();
    let totals = ledger.totals().await.unwrap();
    assert_eq!((totals.spent, totals.lost, totals.replies), (7, 7, 0));
}

#[tokio::test]
async fn many_askers_share_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.db");
    let ledger = Ledger::open(&path, None).unwrap();
    let asks = (0..200u8).map(|name| {
        let ledger = &ledger;
        async move { open(ledger, intent(name, 1)).await.settle(answer(1)).await }
    });
    for settled in futures::future::join_all(asks).await {
        settled.unwrap();
    }
    assert_eq!(ledger.totals().await.unwrap().replies, 200);
    drop(ledger);
    let ledger = Ledger::open(&path, None).unwrap();
    assert_eq!(ledger.totals().await.unwrap().spent, 200);
}
