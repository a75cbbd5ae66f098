//! What is served, who uses what, and what may go.

use truefill_model::store::{Arm, Kept, Serving, Store, StoreError};

use crate::shared::{adapter, draft, install, store};

fn arms(store: &Store, weights: &[(&str, f64)]) -> Serving {
    let id = install(store, &draft("m"), &[("model.gguf", b"w")]).id;
    let arms = weights
        .iter()
        .map(|(name, weight)| Arm::new(name.parse().unwrap(), id.clone(), *weight))
        .collect();
    Serving {
        salt: "salt".into(),
        arms,
        ..Serving::default()
    }
}

#[test]
fn what_is_served_is_swapped_only_by_who_has_read_the_newest() {
    let (_root, store) = store();
    assert_eq!(store.serving().unwrap(), Serving::default());
    let new = arms(&store, &[("champion", 0.9), ("challenger", 0.1)]);
    let first = store.swap_serving(0, new.clone()).unwrap();
    assert_eq!((first.generation, first.history.len()), (1, 1));
    assert_eq!((&first.arms, &first.salt), (&new.arms, &new.salt));
    assert_eq!(store.serving().unwrap(), first);
    assert!(matches!(
        store.swap_serving(0, new.clone()),
        Err(StoreError::Conflict {
            expected: 0,
            found: 1
        })
    ));
    assert_eq!(store.swap_serving(1, new).unwrap().generation, 2);
}

#[test]
fn earlier_states_are_kept_to_go_back_to() {
    let (_root, store) = store();
    for generation in 0..12 {
        let weight = 1.0 + generation as f64;
        let new = arms(&store, &[("champion", weight)]);
        store.swap_serving(generation, new).unwrap();
    }
    let history = store.serving().unwrap().history;
    let weights: Vec<f64> = history.iter().map(|past| past.arms[0].weight).collect();
    assert_eq!(weights, [11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0]);
    assert_eq!(history[0].generation, 11);
    let first = arms(&store, &[("base", 3.0), ("candidate", 1.0)]);
    let shares: Vec<f64> = first.shares().map(|(_, share)| share).collect();
    assert_eq!(shares, [0.75, 0.25]);
}

#[test]
fn arms_that_make_no_sense_are_refused() {
    let (_root, store) = store();
    for weights in [
        &[("a", 0.0)][..],
        &[("a", -1.0), ("b", 2.0)],
        &[("a", f64::NAN)],
        &[("a", f64::INFINITY)],
        &[("a", f64::MAX), ("b", f64::MAX)],
        &[("a", 1.0), ("a", 1.0)],
    ] {
        let new = arms(&store, weights);
        assert!(store.swap_serving(0, new).is_err(), "{weights:?}");
    }
    for change in [
        |arm: &mut Arm| arm.shadow = true,
        |arm: &mut Arm| arm.stopped = Some("slow".into()),
    ] {
        let mut new = arms(&store, &[("a", 1.0), ("b", 1.0)]);
        change(&mut new.arms[1]);
        assert!(store.swap_serving(0, new.clone()).is_err());
        new.arms[1].weight = 0.0;
        new.salt = "x".repeat(201);
        assert!(store.swap_serving(0, new).is_err());
    }
    let mut unknown = arms(&store, &[("a", 1.0)]);
    unknown.arms[0].checkpoint = "absent-00000000".parse().unwrap();
    assert!(matches!(
        store.swap_serving(0, unknown),
        Err(StoreError::Unknown { .. })
    ));
    assert_eq!(store.serving().unwrap().generation, 0);
}

#[test]
fn of_many_writers_at_once_each_generation_has_one() {
    let (_root, store) = store();
    let new = arms(&store, &[("champion", 1.0)]);
    let wins: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                // A store of its own, as another process would have.
                let store = Store::open(store.root()).unwrap();
                let new = new.clone();
                scope.spawn(move || {
                    let tries = (0..25).map(|_| {
                        let seen = store.serving().unwrap().generation;
                        match store.swap_serving(seen, new.clone()) {
                            Ok(_) => 1,
                            Err(StoreError::Conflict { .. }) => 0,
                            Err(error) => panic!("{error}"),
                        }
                    });
                    tries.sum::<usize>()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert!(wins >= 25, "{wins}");
    assert_eq!(store.serving().unwrap().generation, wins as u64);
}

#[test]
fn several_installers_of_the_same_contents_agree() {
    let (_root, store) = store();
    let installed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| install(&store, &draft("m"), &[("model.gguf", b"weights")])))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(installed.iter().filter(|one| one.new).count(), 1);
    assert!(installed.iter().all(|one| one.id == installed[0].id));
    assert_eq!(store.list().unwrap().checkpoints.len(), 1);
}

#[test]
fn pruning_spares_what_is_referred_to() {
    let (_root, store) = store();
    let base = install(&store, &draft("base"), &[("model.gguf", b"base")]).id;
    let tuned = install(
        &store,
        &adapter("tuned", &base),
        &[("adapter.safetensors", b"t")],
    )
    .id;
    let named = install(&store, &draft("named"), &[("model.gguf", b"named")]).id;
    let leased = install(&store, &draft("leased"), &[("model.gguf", b"leased")]).id;
    let asked = install(&store, &draft("asked"), &[("model.gguf", b"asked")]).id;
    let unused = install(&store, &draft("unused"), &[("model.gguf", b"unused")]).id;
    let arm = Arm::new("champion".parse().unwrap(), tuned.clone(), 1.0);
    store
        .swap_serving(
            0,
            Serving {
                arms: vec![arm],
                ..Serving::default()
            },
        )
        .unwrap();
    store.set_alias("mine".parse().unwrap(), &named).unwrap();
    let lease = store.lease(std::slice::from_ref(&leased)).unwrap();

    // Another process prunes.
    let other = Store::open(store.root()).unwrap();
    let plan = other.prune(std::slice::from_ref(&asked), true).unwrap();
    assert_eq!(plan.removed, std::slice::from_ref(&unused));
    assert!(store.contains(&unused));
    let report = other.prune(std::slice::from_ref(&asked), false).unwrap();
    assert_eq!(report.removed, std::slice::from_ref(&unused));
    assert_eq!(report.removed_bytes, 6);
    assert!(!store.contains(&unused));
    let kept: Vec<_> = report.kept.into_iter().collect();
    let mut expected = vec![
        (asked, Kept::Asked),
        (base.clone(), Kept::BaseOf(tuned.clone())),
        (leased.clone(), Kept::Leased),
        (named, Kept::Alias("mine".into())),
        (tuned, Kept::Arm("champion".into())),
    ];
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(kept, expected);

    drop(lease);
    assert!(other.prune(&[], false).unwrap().removed.contains(&leased));
    assert!(store.lease(std::slice::from_ref(&leased)).is_err());
    assert!(store.contains(&base));
}

#[test]
fn a_lease_whose_process_is_gone_protects_nothing() {
    let (_root, store) = store();
    let id = install(&store, &draft("m"), &[("model.gguf", b"w")]).id;
    let lease = store.lease(std::slice::from_ref(&id)).unwrap();
    // What a killed process leaves: its files, without the lock that the system took back.
    let folder = store.root().join("leases");
    let left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (std::fs::read(&path).unwrap(), path))
        .collect();
    assert_eq!(left.len(), 2);
    drop(lease);
    for (contents, path) in &left {
        std::fs::write(path, contents).unwrap();
    }
    assert_eq!(store.prune(&[], false).unwrap().removed, [id]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_held_lease_that_cannot_be_read_stops_the_prune() {
    let (_root, store) = store();
    let id = install(&store, &draft("m"), &[("model.gguf", b"w")]).id;
    let _lease = store.lease(&[]).unwrap();
    for entry in std::fs::read_dir(store.root().join("leases")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            std::fs::write(path, b"{").unwrap();
        }
    }
    assert!(store.prune(&[], false).is_err());
    assert!(store.contains(&id));
}

#[test]
fn an_install_under_way_is_not_taken_for_an_abandoned_one() {
    let (_root, store) = store();
    let staging = store.stage().unwrap();
    std::fs::write(staging.folder().join("model.gguf"), b"w").unwrap();
    assert_eq!(store.prune(&[], false).unwrap().abandoned, 0);
    assert!(store.install(staging, draft("m")).unwrap().new);

    let abandoned = store.root().join("staging/123-456");
    std::fs::create_dir(&abandoned).unwrap();
    std::fs::write(abandoned.join("part"), b"w").unwrap();
    assert_eq!(store.prune(&[], false).unwrap().abandoned, 1);
    assert!(!abandoned.exists());
    std::fs::create_dir(&abandoned).unwrap();
    let staging = store.stage().unwrap();
    assert!(!abandoned.exists());
    assert!(staging.folder().is_dir());
}

#[test]
fn aliases_are_names_of_their_own() {
    let (_root, store) = store();
    let one = install(&store, &draft("one"), &[("model.gguf", b"1")]).id;
    let two = install(&store, &draft("two"), &[("model.gguf", b"2")]).id;
    let default = "default".parse().unwrap();
    store.set_alias(Clone::clone(&default), &one).unwrap();
    store.set_alias(Clone::clone(&default), &two).unwrap();
    assert_eq!(store.find("default").unwrap(), two);
    assert!(
        store
            .set_alias(one.as_str().parse().unwrap(), &two)
            .is_err()
    );
    assert!(
        store
            .set_alias("x".parse().unwrap(), &"absent-00000000".parse().unwrap())
            .is_err()
    );
    assert!(store.remove_alias(&default).unwrap());
    assert!(!store.remove_alias(&default).unwrap());
    assert!(store.find("default").is_err());
    assert_eq!(store.serving().unwrap().generation, 0);
}
