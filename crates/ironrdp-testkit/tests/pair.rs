//! The client's connector against the server's acceptor: what they agree upon on every way through the sequence.

use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ClientConnector, Config, ConnectionResult, Credentials, ServerAcceptor,
};
use ironrdp_testkit::{Chunks, Pair};

fn config() -> Config {
    Config::new(Credentials::new("LAB\\rdptest", "Lab-Pass-1"))
}

fn connect(client: Config, server: AcceptorConfig) -> (ConnectionResult, AcceptResult) {
    let outcome = Pair::new(ClientConnector::new(client), ServerAcceptor::new(server)).run();
    let client = outcome.client.unwrap().into_result().unwrap();
    let server = outcome.server.unwrap().into_result().unwrap();
    (client, server)
}

#[test]
fn client_and_server_connect_over_tls_and_agree() {
    let (client, server) = connect(config(), AcceptorConfig::new());
    assert_eq!(client.protocol, server.protocol);
    assert_eq!(client.io_channel_id, server.io_channel_id);
    assert_eq!(client.user_channel_id, server.user_channel_id);
    assert_eq!(client.message_channel_id, server.message_channel_id);
    assert_eq!(client.activated.share_id, server.activated.share_id);
    assert_eq!(client.desktop_size(), server.activated.desktop_size);
    assert_eq!(client.color_depth(), server.activated.color_depth);
    assert_eq!(server.info.user_name, "rdptest");
    assert_eq!(server.info.domain, "LAB");
    assert_eq!(server.info.password.expose(), "");
}

#[test]
fn one_byte_at_a_time_makes_no_difference() {
    let run = |chunks, seed| {
        let client = ClientConnector::new(config());
        let server = ServerAcceptor::new(AcceptorConfig::new());
        let outcome = Pair::new(client, server)
            .with_chunks(chunks)
            .with_seed(seed)
            .run();
        assert!(
            outcome.client.is_ok() && outcome.server.is_ok(),
            "seed {seed}: {:?} {:?} {:?}",
            outcome.client.err(),
            outcome.server.err(),
            outcome.elapsed
        );
        outcome.transcript
    };
    let whole = run(Chunks::Whole, 0);
    let single = run(Chunks::Single, 0);
    for direction in [
        ironrdp_testkit::Direction::ToServer,
        ironrdp_testkit::Direction::ToClient,
    ] {
        assert!(whole.of(direction).eq(single.of(direction)), "{whole}\n{single}");
        for seed in 0..50 {
            let random = run(Chunks::Random(64), seed);
            assert!(
                whole.of(direction).eq(random.of(direction)),
                "seed {seed}\n{whole}\n{random}"
            );
        }
    }
}
