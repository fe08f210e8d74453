//! The client's connector against the server's acceptor: what they agree upon on every way through the sequence.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use core::time::Duration;

use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ClientConnector, ColorDepth, Config, ConnectionResult, Credentials,
    LicenseOutcome, ServerAcceptor,
};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::capability::{
    BitmapCodec, BitmapCodecs, CapabilitySetType, General, NsCodecCapabilities, SurfaceCommands,
};
use ironrdp_pdu::client_info::CompressionType;
use ironrdp_pdu::gcc::{ChannelDefinition, ChannelName, ChannelOptions};
use ironrdp_pdu::input::{FastPathInput, InputEvent, KeyFlags};
use ironrdp_pdu::share::SuppressOutput;
use ironrdp_pdu::x224::{NegotiationToken, SecurityProtocol};
use ironrdp_testkit::{Chunks, Direction, Interject, Pair, frames, license};

fn config() -> Config {
    Config::new(Credentials::new("LAB\\rdptest", "Lab-Pass-1"))
}

fn channels(count: usize) -> Vec<ChannelDefinition> {
    (0..count)
        .map(|number| ChannelDefinition {
            name: ChannelName::new(&format!("chan{number}")).unwrap(),
            options: ChannelOptions::INITIALIZED,
        })
        .collect()
}

fn size(width: u16, height: u16) -> DesktopSize {
    DesktopSize::new(width, height).unwrap()
}

fn connect(client: Config, server: AcceptorConfig) -> (ConnectionResult, AcceptResult) {
    let outcome = Pair::new(ClientConnector::new(client), ServerAcceptor::new(server)).run();
    let client = outcome.client.unwrap().into_result().unwrap();
    let server = outcome.server.unwrap().into_result().unwrap();
    assert_eq!(client.protocol, server.protocol);
    assert_eq!(client.io_channel_id, server.io_channel_id);
    assert_eq!(client.user_channel_id, server.user_channel_id);
    assert_eq!(client.message_channel_id, server.message_channel_id);
    assert_eq!(client.channels, server.channels);
    assert_eq!(client.joins_skipped, server.joins_skipped);
    assert_eq!(client.license, server.license);
    assert_eq!(client.activated.share_id, server.activated.share_id);
    assert_eq!(client.desktop_size(), server.activated.desktop_size);
    assert_eq!(client.color_depth(), server.activated.color_depth);
    (client, server)
}

#[test]
fn client_and_server_connect_over_tls_and_agree() {
    let (client, server) = connect(config(), AcceptorConfig::new());
    assert_eq!(client.protocol, SecurityProtocol::SSL);
    assert_eq!(client.license, LicenseOutcome::NotNeeded);
    assert!(client.joins_skipped && client.message_channel_id.is_some());
    assert_eq!(
        (server.info.user_name.as_str(), server.info.domain.as_str()),
        ("rdptest", "LAB")
    );
    assert_eq!(server.info.password.expose(), "", "the password is not kept");
    assert_eq!(server.core.client_name, "ironrdp");
    assert_eq!(server.request.token, Some(NegotiationToken::cookie("rdptest")));
    assert!(server.activated.capabilities.find::<SurfaceCommands>().is_some());
    assert!(client.activated.server.input.fast_path && client.activated.server.suppress_output);
}

#[test]
fn client_and_server_connect_without_tls_only_where_both_were_told_to() {
    let (client, _) = connect(
        config().dangerously_require_plain(),
        AcceptorConfig::new().dangerously_allow_plain(),
    );
    assert_eq!(client.protocol, SecurityProtocol::empty());
    let (client, _) = connect(
        config().dangerously_require_plain(),
        AcceptorConfig::new().dangerously_require_plain(),
    );
    assert_eq!(client.protocol, SecurityProtocol::empty());
    // A server that takes both picks the safe one.
    let (client, _) = connect(config(), AcceptorConfig::new().dangerously_allow_plain());
    assert_eq!(client.protocol, SecurityProtocol::SSL);
}

#[test]
fn a_licence_is_issued_in_the_full_exchange() {
    let server = AcceptorConfig::new().with_licenses_of(license::authority());
    let (client, _) = connect(config(), server);
    assert_eq!(client.license, LicenseOutcome::Issued);
}

#[test]
fn none_one_and_thirty_one_channels_are_joined_or_skipped() {
    for count in [0, 1, 31] {
        for skip in [false, true] {
            let server = AcceptorConfig::new().with_skip_channel_join(skip);
            let (client, server) = connect(config().with_channels(channels(count)), server);
            assert_eq!(client.joins_skipped, skip);
            assert_eq!(server.channels.len(), count);
            let mut ids: Vec<u16> = server.channels.iter().map(|channel| channel.id).collect();
            ids.extend([server.io_channel_id, server.user_channel_id]);
            ids.extend(server.message_channel_id);
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), all, "two channels with one id");
        }
    }
}

#[test]
fn joining_channels_costs_no_round_trip_unless_each_is_to_be_confirmed_first() {
    let latency = Duration::from_millis(40);
    let took = |skip: bool, confirmed: bool| {
        let client = config()
            .with_channels(channels(31))
            .with_confirmed_joins(confirmed);
        let server = AcceptorConfig::new().with_skip_channel_join(skip);
        let outcome = Pair::new(ClientConnector::new(client), ServerAcceptor::new(server))
            .with_latency(latency)
            .run();
        assert_eq!(outcome.client.unwrap().into_result().unwrap().joins_skipped, skip);
        outcome.elapsed
    };
    assert_eq!(took(true, true), took(true, false));
    assert!(took(false, true) >= took(false, false) + latency);
}

#[test]
fn a_server_may_have_no_message_channel() {
    let (client, _) = connect(config(), AcceptorConfig::new().with_message_channel(false));
    assert_eq!(client.message_channel_id, None);
}

#[test]
fn the_network_is_measured_while_connecting() {
    let server = AcceptorConfig::new().with_auto_detect(true);
    let outcome = Pair::new(ClientConnector::new(config()), ServerAcceptor::new(server))
        .with_latency(Duration::from_millis(40))
        // The 16 KiB of the measurement arrive in about 32 pieces, one each 40 ms.
        .with_chunks(Chunks::Random(1024))
        .with_seed(3)
        .run();
    assert!(outcome.client.is_ok());
    let measured = outcome.server.unwrap().into_result().unwrap().network.unwrap();
    let round_trip = measured.round_trip.as_millis();
    assert!(
        (80..=160).contains(&round_trip) && round_trip.is_multiple_of(40),
        "{round_trip} ms"
    );
    assert!(
        (50..=200).contains(&measured.bandwidth_kbps),
        "{} kbit/s",
        measured.bandwidth_kbps
    );

    let outcome = connect(
        config(),
        AcceptorConfig::new()
            .with_auto_detect(true)
            .with_message_channel(false),
    );
    assert_eq!(outcome.1.network, None);
}

#[test]
fn the_client_gets_the_size_and_depth_it_asks_for_or_those_of_the_server() {
    for depth in [
        ColorDepth::Bpp8,
        ColorDepth::Bpp15,
        ColorDepth::Bpp16,
        ColorDepth::Bpp24,
        ColorDepth::Bpp32,
    ] {
        let wish = config().with_color_depth(depth).with_desktop_size(size(801, 603));
        let (client, _) = connect(wish.clone(), AcceptorConfig::new());
        assert_eq!(
            (client.color_depth(), client.desktop_size()),
            (depth, size(801, 603))
        );

        let fixed = AcceptorConfig::new()
            .with_desktop_size(size(640, 480))
            .with_max_color_depth(ColorDepth::Bpp16);
        let (client, _) = connect(wish, fixed);
        assert_eq!(client.desktop_size(), size(640, 480));
        assert_eq!(client.color_depth().bits(), depth.bits().min(16));
    }
}

#[test]
fn a_capability_of_the_server_replaces_the_default_of_its_kind() {
    let codecs = BitmapCodecs {
        codecs: vec![BitmapCodec::ns_codec(NsCodecCapabilities::default())],
    };
    let server = AcceptorConfig::new()
        .with_capability(General::default())
        .with_capability(codecs);
    let (client, server) = connect(config(), server);
    assert!(
        !client.activated.server.refresh_rect,
        "a General set without refresh rect"
    );
    let kinds: Vec<CapabilitySetType> = server
        .activated
        .capabilities
        .sets
        .iter()
        .map(|set| set.kind())
        .collect();
    assert!(kinds.contains(&CapabilitySetType::BITMAP));
}

#[test]
fn a_client_says_which_compression_it_takes() {
    let (_, server) = connect(config(), AcceptorConfig::new());
    assert_eq!(server.info.flags.compression(), Some(CompressionType::Mppc64K));
}

#[test]
fn chunks_of_any_size_make_no_difference() {
    let run = |chunks, seed| {
        let client = ClientConnector::new(config().with_channels(channels(3)));
        let server = AcceptorConfig::new().with_licenses_of(license::authority());
        let outcome = Pair::new(client, ServerAcceptor::new(server))
            .with_chunks(chunks)
            .with_seed(seed)
            .run();
        assert!(outcome.client.is_ok() && outcome.server.is_ok(), "seed {seed}");
        outcome.transcript
    };
    // Lengths, since a licence exchange never repeats its random bytes.
    let lengths = |transcript: &ironrdp_testkit::Transcript, direction| -> Vec<usize> {
        transcript.of(direction).map(|entry| entry.length).collect()
    };
    let whole = run(Chunks::Whole, 0);
    for (chunks, seed) in
        core::iter::once((Chunks::Single, 0)).chain((0..30).map(|seed| (Chunks::Random(64), seed)))
    {
        let other = run(chunks, seed);
        for direction in [Direction::ToServer, Direction::ToClient] {
            assert_eq!(
                lengths(&whole, direction),
                lengths(&other, direction),
                "seed {seed}\n{whole}\n{other}"
            );
        }
    }
}

#[test]
fn the_same_seed_repeats_a_run_to_the_byte() {
    let run = |seed| {
        let server = AcceptorConfig::new().with_licenses_of(license::authority());
        Pair::new(ClientConnector::new(config()), ServerAcceptor::new(server))
            .with_chunks(Chunks::Random(100))
            .with_seed(seed)
            .run()
            .transcript
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn what_comes_early_for_the_session_is_kept_for_it() {
    let key = [InputEvent::Scancode {
        flags: KeyFlags::empty(),
        code: 0x1e,
    }];
    let input = frames::encode(&FastPathInput::new(&key));
    let client = Interject::new(ClientConnector::new(config()), "WaitDemandActive", input.clone());
    let suppress = SuppressOutput::Suppress;
    let early = frames::share_data(1003, 0x0001_03ea, suppress);
    let server = Interject::new(
        ServerAcceptor::new(AcceptorConfig::new()),
        "WaitFontList",
        early.clone(),
    );
    let outcome = Pair::new(client, server).run();
    let mut client = outcome.client.unwrap().into_inner().into_result().unwrap();
    let mut server = outcome.server.unwrap().into_inner().into_result().unwrap();
    assert_eq!(server.take_deferred(), [input]);
    assert_eq!(client.take_deferred(), [early]);
    assert!(server.take_deferred().is_empty());
}

#[test]
fn a_share_can_end_and_start_again_with_another_size() {
    let (mut client, mut server) = connect(config(), AcceptorConfig::new());
    for new_size in [size(1280, 720), size(641, 481)] {
        let old = client.activated.share_id;
        let outcome = Pair::new(client.reactivation(), server.reactivation(new_size)).run();
        client.activated = outcome.client.unwrap().into_result().unwrap().0;
        server.activated = outcome.server.unwrap().into_result().unwrap().0;
        assert_eq!(client.desktop_size(), new_size);
        assert_eq!(client.activated.share_id, server.activated.share_id);
        assert_ne!(client.activated.share_id, old);
    }
}

#[test]
fn somebody_outside_decides_with_all_that_the_client_said() {
    let mut asked = 0;
    let outcome = Pair::new(
        ClientConnector::new(config()),
        ServerAcceptor::new(AcceptorConfig::new()),
    )
    .with_decision(move |info| {
        asked += 1;
        asked == 1 && info.password.expose() == "Lab-Pass-1" && info.user_name == "rdptest"
    })
    .run();
    assert!(outcome.client.is_ok() && outcome.server.is_ok());
}
