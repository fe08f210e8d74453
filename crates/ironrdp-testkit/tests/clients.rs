//! The acceptor against what real clients send that our own never would.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ColorDepth, ConnectorError, ConnectorErrorKind, Sequence, ServerAcceptor,
};
use ironrdp_core::WriteBuf;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::capability::{CapabilitySet, ConfirmActive, General};
use ironrdp_pdu::client_info::{ClientInfo, InfoFlags};
use ironrdp_pdu::finalization::{
    Control, ControlAction, FontList, PersistentKeyList, PersistentKeyListFlags, SequenceFlags, Synchronize,
};
use ironrdp_pdu::gcc::{
    ChannelDefinition, ChannelName, ChannelOptions, ClientCoreData, ClientGccBlocks,
    ClientMessageChannelData, ClientNetworkData, ColorDepth as CoreColorDepth, HighColorDepth,
};
use ironrdp_pdu::mcs::{
    AttachUserRequest, ChannelJoinRequest, ConnectInitial, ErectDomainRequest, SERVER_USER_ID,
};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::share::{DataPdu, ShareControl, ShareData};
use ironrdp_pdu::x224::{ConnectionRequest, NegotiationToken, SecurityProtocol};
use ironrdp_testkit::{Pair, Script, frames};

const IO: u16 = 1003;

/// rdesktop's domain request: two plain 16-bit ones where two counted integers belong.
const LOOSE_ERECT_DOMAIN: [u8; 12] = [3, 0, 0, 12, 2, 0xf0, 0x80, 0x04, 0, 1, 0, 1];

/// A client without negotiation data, as clients older than 5.2 are.
fn old_request() -> Vec<u8> {
    frames::encode(&ConnectionRequest::default().with_token(NegotiationToken::cookie("rdptest")))
}

fn core(depth: CoreColorDepth) -> ClientCoreData {
    let mut core = ClientCoreData::new(DesktopSize::new(800, 600).unwrap());
    core.color_depth = depth;
    core.post_beta2_color_depth = None;
    core.client_product_id = None;
    core.serial_number = None;
    core.high_color_depth = None;
    core.supported_color_depths = None;
    core.early_capability_flags = None;
    core.client_dig_product_id = None;
    core.connection_type = None;
    core.server_selected_protocol = None;
    core
}

fn initial(core: ClientCoreData, channels: &[&str]) -> Vec<u8> {
    let mut blocks = ClientGccBlocks::new(core);
    let define = |name: &&str| ChannelDefinition {
        name: ChannelName::new(name).unwrap(),
        options: ChannelOptions::INITIALIZED,
    };
    blocks.network = Some(ClientNetworkData {
        channels: channels.iter().map(define).collect(),
    });
    frames::x224(ConnectInitial::new(blocks))
}

fn join(user: u16, channel_id: u16) -> Vec<u8> {
    frames::x224(ChannelJoinRequest {
        initiator: user,
        channel_id,
    })
}

fn info(user: u16, info: ClientInfo) -> Vec<u8> {
    let secured = BasicSecurity {
        flags: SecurityFlags::INFO_PACKET,
        body: info,
    };
    frames::from_client(user, IO, secured)
}

fn confirm(user: u16) -> Vec<u8> {
    let sets: Vec<CapabilitySet> = vec![General::default().into()];
    let pdu = ConfirmActive::new(0x0001_03ea, sets);
    frames::from_client(user, IO, ShareControl { source: user, pdu })
}

fn data(user: u16, pdu: impl DataPdu) -> Vec<u8> {
    frames::from_client(user, IO, ShareData::new(user, 0x0001_03ea, pdu))
}

fn font_list(flags: SequenceFlags) -> FontList {
    FontList {
        flags,
        ..FontList::default()
    }
}

fn accept(config: AcceptorConfig, client: Script) -> Result<AcceptResult, ConnectorError> {
    let outcome = Pair::new(client, ServerAcceptor::new(config)).run();
    outcome.server.and_then(ServerAcceptor::into_result)
}

#[test]
fn an_old_client_without_negotiation_joins_one_by_one_and_sends_two_font_lists() {
    let user = IO + 3;
    let ansi = ClientInfo {
        flags: InfoFlags::MOUSE,
        extended: None,
        ..ClientInfo::new("rdptest", "Lab-Pass-1")
    };
    let client = Script::new()
        .send(old_request())
        .expect()
        .send(initial(core(CoreColorDepth::Bpp8), &["cliprdr"]))
        .expect()
        .send(LOOSE_ERECT_DOMAIN)
        .send(frames::x224(AttachUserRequest))
        .expect()
        .send(join(user, user))
        .expect()
        .send(join(user, IO))
        .expect()
        .send(join(user, IO + 1))
        .expect()
        .send(info(user, ansi))
        .expect()
        .expect()
        .send(confirm(user))
        .send(data(
            user,
            Synchronize {
                target_user: SERVER_USER_ID,
            },
        ))
        .send(data(user, Control::new(ControlAction::Cooperate)))
        .send(data(user, Control::new(ControlAction::RequestControl)))
        .expect()
        .expect()
        .expect()
        .send(data(user, font_list(SequenceFlags::FIRST)))
        .send(data(user, font_list(SequenceFlags::LAST)))
        .expect();
    let result = accept(AcceptorConfig::new().dangerously_allow_plain(), client).unwrap();
    assert_eq!(result.protocol, SecurityProtocol::empty());
    assert_eq!(result.activated.color_depth, ColorDepth::Bpp8);
    assert_eq!(result.info.user_name, "rdptest");
    assert_eq!(
        (result.channels[0].name.as_str(), result.channels[0].id),
        ("cliprdr", IO + 1)
    );
    assert_eq!((result.message_channel_id, result.joins_skipped), (None, false));
}

#[test]
fn a_client_without_negotiation_is_refused_where_tls_is_required() {
    let error = accept(AcceptorConfig::new(), Script::new().send(old_request()).expect()).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unsupported);
}

/// Up to and without the joins; every client here is without TLS.
fn attached(blocks: Vec<u8>) -> Script {
    Script::new()
        .send(frames::encode(&ConnectionRequest::new(SecurityProtocol::empty())))
        .expect()
        .send(blocks)
        .expect()
        .send(frames::x224(ErectDomainRequest::default()))
        .send(frames::x224(AttachUserRequest))
        .expect()
}

fn finished(client: Script, user: u16) -> Script {
    client
        .send(info(user, ClientInfo::new("rdptest", "Lab-Pass-1")))
        .expect()
        .expect()
        .send(confirm(user))
        .send(data(user, Control::new(ControlAction::RequestControl)))
        .send(data(
            user,
            PersistentKeyList {
                flags: PersistentKeyListFlags::FIRST | PersistentKeyListFlags::LAST,
                ..PersistentKeyList::default()
            },
        ))
        .send(data(user, FontList::default()))
}

#[test]
fn joins_come_in_any_order_in_one_batch_and_twice() {
    let user = IO + 4;
    let channels = ["rdpdr", "rdpsnd"];
    let batch = [IO + 2, user, IO, IO, IO + 1].map(|id| join(user, id)).concat();
    let client = attached(initial(core(CoreColorDepth::Bpp24), &channels)).send(batch);
    let client = (0..5).fold(client, |client, _| client.expect());
    let config = AcceptorConfig::new().dangerously_allow_plain();
    let result = accept(config, finished(client, user)).unwrap();
    assert_eq!(result.activated.color_depth, ColorDepth::Bpp24);
}

#[test]
fn a_channel_that_does_not_exist_is_refused_and_the_client_may_go_on() {
    let user = IO + 2;
    let client = attached(initial(core(CoreColorDepth::Bpp16), &[]))
        .send(join(user, 2_000))
        .expect()
        .send(join(user, user))
        .send(join(user, IO))
        .expect()
        .expect();
    let outcome = Pair::new(
        finished(client, user),
        ServerAcceptor::new(AcceptorConfig::new().dangerously_allow_plain()),
    )
    .run();
    let received = outcome.client.unwrap().received().to_vec();
    // Confirm, Connect Response, Attach User Confirm, then this: result 3 in the four bits from the last one of its first byte.
    assert_eq!(received[3][7..9], [0x3c, 0x60], "no such channel");
    assert!(outcome.server.is_ok());
}

#[test]
fn client_info_before_the_joins_is_unexpected_unless_they_are_skipped() {
    let user = IO + 2;
    let config = || AcceptorConfig::new().dangerously_allow_plain();
    let plain = core(CoreColorDepth::Bpp16);
    let error = accept(config(), finished(attached(initial(plain, &[])), user)).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected);

    let mut skipping = ClientCoreData::new(DesktopSize::new(800, 600).unwrap());
    skipping.early_capability_flags = skipping
        .early_capability_flags
        .map(|flags| flags | ironrdp_pdu::gcc::ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN);
    assert!(accept(config(), finished(attached(initial(skipping, &[])), user)).is_ok());
}

#[test]
fn a_changed_negotiation_is_noticed_when_the_client_repeats_it() {
    let mut core = ClientCoreData::new(DesktopSize::new(800, 600).unwrap());
    core.server_selected_protocol = Some(SecurityProtocol::SSL);
    let config = AcceptorConfig::new().dangerously_allow_plain();
    let error = accept(config, attached(initial(core, &[]))).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected);
}

#[test]
fn every_depth_a_client_can_ask_for_becomes_one_that_is_drawn() {
    for (depth, bits) in [
        (HighColorDepth::Bpp4, 8),
        (HighColorDepth::Bpp8, 8),
        (HighColorDepth::Bpp15, 15),
        (HighColorDepth::Bpp16, 16),
        (HighColorDepth::Bpp24, 24),
        (HighColorDepth::Other(77), 8),
    ] {
        let mut core = ClientCoreData::new(DesktopSize::new(800, 600).unwrap());
        core.early_capability_flags =
            Some(ironrdp_pdu::gcc::ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN);
        core.high_color_depth = Some(depth);
        let client = finished(attached(initial(core, &[])), IO + 2);
        let result = accept(AcceptorConfig::new().dangerously_allow_plain(), client).unwrap();
        assert_eq!(result.activated.color_depth.bits(), bits, "{depth:?}");
    }
}

#[test]
fn a_desktop_no_one_could_draw_becomes_a_usual_one() {
    let mut core = core(CoreColorDepth::Bpp16);
    (core.desktop_width, core.desktop_height) = (0, 65_535);
    let user = IO + 2;
    let client = attached(initial(core, &[])).send([join(user, user), join(user, IO)].concat());
    let client = finished(client.expect().expect(), user);
    let result = accept(AcceptorConfig::new().dangerously_allow_plain(), client).unwrap();
    assert_eq!(Some(result.activated.desktop_size), DesktopSize::new(1024, 768));
}

#[test]
fn a_confirmation_of_another_share_is_unexpected() {
    let user = IO + 2;
    let client = attached(initial(core(CoreColorDepth::Bpp16), &[]))
        .send([join(user, user), join(user, IO)].concat())
        .expect()
        .expect()
        .send(info(user, ClientInfo::new("rdptest", "Lab-Pass-1")))
        .expect()
        .expect();
    let pdu = ConfirmActive::new(7, vec![General::default().into()]);
    let client = client.send(frames::from_client(user, IO, ShareControl { source: user, pdu }));
    let error = accept(AcceptorConfig::new().dangerously_allow_plain(), client).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected);
}

#[test]
fn thirty_two_channels_are_too_many() {
    // The count is a field of its own: 31 names, then one more.
    let mut blocks = ClientGccBlocks::new(core(CoreColorDepth::Bpp16));
    blocks.message_channel = Some(ClientMessageChannelData::default());
    let channel = ChannelDefinition {
        name: ChannelName::new("a").unwrap(),
        options: ChannelOptions::INITIALIZED,
    };
    blocks.network = Some(ClientNetworkData {
        channels: vec![channel; 31],
    });
    let mut bytes = frames::x224(ConnectInitial::new(blocks));
    let count = bytes.windows(4).position(|four| four == [31, 0, 0, 0]).unwrap();
    bytes[count] = 32;
    let mut server = ServerAcceptor::new(AcceptorConfig::new().dangerously_allow_plain());
    let mut out = WriteBuf::new();
    let request = frames::encode(&ConnectionRequest::new(SecurityProtocol::empty()));
    let _ = server.step(&request, &mut out).unwrap();
    let error = server.step(&bytes, &mut out).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Limit);
}
