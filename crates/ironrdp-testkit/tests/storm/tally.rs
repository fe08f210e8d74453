//! What must hold for every session, and how many ended in which way.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ironrdp_connector::{Deadlines, Phase};
use ironrdp_testkit::TranscriptEntry;

use crate::client::{ClientEnd, DWELL, PATIENCE};
use crate::plan::Sky;
use crate::shards::{Record, ServerEnd, Struck};

/// Pictures of a session.
const PICTURES: u32 = 3;

/// What must hold for every session, whatever its network did.
pub(crate) fn check(seed: u64, record: &Record) {
    let repeat = format!(
        "{record}\nto repeat it: IRONRDP_SEED={seed} IRONRDP_SESSION={} cargo test -p ironrdp-testkit --test storm a_thousand -- --nocapture",
        record.number
    );
    let is_right =
        record.client == ClientEnd::Right && record.server == ServerEnd::Left(PICTURES as usize - 1);
    match record.struck {
        Struck::No => assert!(is_right, "nothing happened, and it failed: {repeat}"),
        Struck::Late => {}
        Struck::Yes => {
            let may_pass = record.sky == Sky::Corrupt && !record.secured;
            assert!(may_pass || !is_right, "nobody noticed what happened: {repeat}");
        }
    }
    if record.client == ClientEnd::Wrong {
        assert!(
            record.sky == Sky::Corrupt && !record.secured,
            "pixels that nobody painted: {repeat}"
        );
    }
    if record.server == ServerEnd::GaveUp {
        assert_eq!(record.sky, Sky::Stall, "the server was not told: {repeat}");
    }
    let overall = Deadlines::default().overall;
    let most = match record.client {
        ClientEnd::NotConnected(..) => overall,
        _ => overall + DWELL + PATIENCE * (PICTURES + 1),
    };
    // Tokio's clock goes in milliseconds.
    assert!(
        record.took <= most + Duration::from_millis(1),
        "too late: {repeat}"
    );
}

/// How many sessions ended in which way.
pub(crate) struct Tally {
    ends: BTreeMap<(Sky, bool, Struck, ClientEnd), usize>,
    took: Duration,
    hash: u64,
}

impl Tally {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut ends = BTreeMap::new();
        for record in records {
            let key = (record.sky, record.secured, record.struck, record.client.clone());
            *ends.entry(key).or_default() += 1;
        }
        let both = |hash: u64, pdu: &TranscriptEntry| hash.rotate_left(1) ^ pdu.hash;
        Self {
            ends,
            took: records.iter().map(|record| record.took).sum(),
            hash: records
                .iter()
                .flat_map(|record| record.said.entries())
                .fold(0, both),
        }
    }

    fn count(&self, which: impl Fn(Sky, bool, Struck, &ClientEnd) -> bool) -> usize {
        let ends = self.ends.iter();
        ends.filter(|((sky, secured, struck, end), _)| which(*sky, *secured, *struck, end))
            .map(|(_, count)| count)
            .sum()
    }

    /// A storm in which nothing happens would prove nothing.
    pub(crate) fn assert_that_all_kinds_of_trouble_happened(&self) {
        for secured in [true, false] {
            let right = self.count(|_, tls, _, end| tls == secured && *end == ClientEnd::Right);
            assert!(right >= 100, "{right} right, TLS {secured}");
            for sky in [Sky::Stall, Sky::HalfClose, Sky::Reset, Sky::Corrupt] {
                let struck =
                    self.count(|kind, tls, struck, _| kind == sky && tls == secured && struck == Struck::Yes);
                assert!(struck >= 10, "{struck} times {sky:?}, TLS {secured}");
            }
        }
        for phase in [Phase::Negotiate, Phase::Tls, Phase::Activate] {
            let phase = phase.to_string();
            let failed =
                self.count(|_, _, _, end| matches!(end, ClientEnd::NotConnected(at, _) if *at == phase));
            assert!(failed >= 3, "{failed} failed while they {phase}");
        }
        let silent = ClientEnd::Broke("Session(PeerSilent)".to_owned());
        let dead = self.count(|_, _, _, end| *end == silent);
        assert!(dead >= 1, "no server was taken for dead");
        let broke = self.count(|_, _, _, end| matches!(end, ClientEnd::Broke(_)));
        assert!(broke >= 20, "{broke} broke");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((sky, secured, struck, end), count) in &self.ends {
            let security = if *secured { "TLS" } else { "plain" };
            let sky = match struck {
                Struck::No => "Fair".to_owned(),
                Struck::Late => format!("({sky:?})"),
                Struck::Yes => format!("{sky:?}"),
            };
            writeln!(f, "{count:5} {sky:11} {security:5} {end:?}")?;
        }
        write!(
            f,
            "{:?} of virtual time, transcripts {:016x}",
            self.took, self.hash
        )
    }
}
