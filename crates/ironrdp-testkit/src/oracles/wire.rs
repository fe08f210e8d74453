//! Every decoder of the wire format.

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::autodetect::{AutoDetectRequest, AutoDetectResponse, Heartbeat};
use ironrdp_pdu::capability::{CapabilitySet, ConfirmActive, DemandActive};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags, ChannelPduHeader, chunks};
use ironrdp_pdu::client_info::{
    ClientAutoReconnect, ClientInfo, ExtendedInfo, ServerAutoReconnect, SystemTime, TimeZone,
};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::{FastPathBody, FastPathOutputPdu, FastPathUpdate};
use ironrdp_pdu::finalization::{Control, FontList, FontMap, PersistentKeyList, Synchronize};
use ironrdp_pdu::gcc::{
    ClientClusterData, ClientCoreData, ClientGccBlocks, ClientMessageChannelData, ClientMonitorData,
    ClientMonitorExtendedData, ClientMultitransportChannelData, ClientNetworkData, ClientSecurityData,
    ConferenceCreateRequest, ConferenceCreateResponse, ServerCoreData, ServerGccBlocks,
    ServerMessageChannelData, ServerMultitransportChannelData, ServerNetworkData, ServerSecurityData,
};
use ironrdp_pdu::input::{FastPathInputPdu, SlowPathInputPdu};
use ironrdp_pdu::license::{
    ClientLicenseInfo, ClientNewLicenseRequest, ClientPlatformChallengeResponse, HardwareId,
    LicenseErrorAlert, LicensePdu, NewLicenseInfo, PlatformChallengeResponseData, ServerLicense,
    ServerLicenseRequest, ServerPlatformChallenge,
};
use ironrdp_pdu::mcs::{ConnectInitial, ConnectResponse, McsPdu};
use ironrdp_pdu::message_channel::MessageChannelPdu;
use ironrdp_pdu::multitransport::{MultitransportRequest, MultitransportResponse};
use ironrdp_pdu::output::{BitmapUpdate, OrderWalker, OrdersUpdate, PaletteUpdate, Update};
use ironrdp_pdu::pointer::PointerUpdate;
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::security::{BasicSecurity, SecurityExchange, SecurityHeader, ServerCertificate};
use ironrdp_pdu::session_info::SaveSessionInfo;
use ironrdp_pdu::share::{
    DataPduType, DeactivateAll, FrameAcknowledge, MonitorLayout, RefreshRect, ShareControlHeader,
    ShareDataPdu, SharePdu, SharePdus, SuppressOutput,
};
use ironrdp_pdu::surface::{SurfaceCommand, SurfaceCommands};
use ironrdp_pdu::x224::{ConnectionConfirm, ConnectionRequest, DisconnectRequest, X224Data, X224Pdu};
use ironrdp_pdu::{BerSequenceHint, PduHint, find_size};

/// What each type decodes it encodes to something that decodes to the same; what cannot be encoded is an error.
macro_rules! round_trips {
    ($data:expr; $($type:ty),* $(,)?) => {
        $(
            if let Ok(first) = decode::<$type>($data) {
                shows(&first, $data);
                if let Ok(bytes) = encode_vec(&first) {
                    let name = stringify!($type);
                    let second = match decode::<$type>(&bytes) {
                        Ok(second) => second,
                        Err(error) => violated(name, &error, &bytes),
                    };
                    assert_eq!(first, second, "{name} changed by writing and reading it");
                    let again = encode_vec(&second).ok();
                    assert_eq!(again.as_deref(), Some(bytes.as_slice()), "{name} written in two ways");
                }
            }
        )*
    };
}

#[expect(clippy::panic, reason = "this is how an oracle speaks")]
fn violated(name: &str, error: &dyn core::fmt::Display, bytes: &[u8]) -> ! {
    panic!("{name} wrote what it cannot read: {error}: {bytes:02x?}")
}

/// Printing must not panic either; long inputs are left out, since printing them takes longer than reading.
fn shows(value: &impl core::fmt::Debug, data: &[u8]) {
    if data.len() <= 512 {
        assert!(!format!("{value:?}").is_empty());
    }
}

/// Framing, X.224, MCS and GCC.
pub fn connection(data: &[u8]) {
    if let Ok(Some(pdu)) = find_size(data) {
        assert!((2..=65_535).contains(&pdu.length));
    }
    if let Ok(Some((_, size))) = BerSequenceHint::new().find_size(data) {
        assert!((2..=BerSequenceHint::DEFAULT_MAX_SIZE).contains(&size));
    }
    round_trips!(data;
        ConnectionRequest, ConnectionConfirm, DisconnectRequest, X224Pdu<'_>, X224Data<&[u8]>,
        ConnectInitial, ConnectResponse, McsPdu<'_>,
        ConferenceCreateRequest, ConferenceCreateResponse, ClientGccBlocks, ServerGccBlocks,
        ClientCoreData, ClientClusterData, ClientSecurityData, ClientNetworkData, ClientMonitorData,
        ClientMonitorExtendedData, ClientMessageChannelData, ClientMultitransportChannelData,
        ServerCoreData, ServerSecurityData, ServerNetworkData, ServerMessageChannelData,
        ServerMultitransportChannelData,
    );
}

/// Security headers, client info, licensing, auto-detect, multitransport, redirection.
pub fn login(data: &[u8]) {
    if let Ok(message) = decode::<MessageChannelPdu<'_>>(data) {
        shows(&message, data);
    }
    if let Ok(request) = decode::<ServerLicenseRequest>(data) {
        let _ = request.certificate();
    }
    round_trips!(data;
        SecurityHeader, BasicSecurity<&[u8]>, SecurityExchange, ServerCertificate,
        ClientInfo, ExtendedInfo, TimeZone, SystemTime, ClientAutoReconnect, ServerAutoReconnect,
        LicensePdu, LicenseErrorAlert, ServerLicenseRequest, ServerPlatformChallenge, ServerLicense,
        ClientNewLicenseRequest, ClientLicenseInfo, ClientPlatformChallengeResponse,
        NewLicenseInfo, PlatformChallengeResponseData, HardwareId,
        AutoDetectRequest<'_>, AutoDetectResponse, Heartbeat, MultitransportRequest, MultitransportResponse,
        ServerRedirection, EnhancedRedirection,
    );
}

/// Share headers, capabilities, finalisation and what a session says about itself.
pub fn share(data: &[u8]) {
    let mut seen = 0;
    for pdu in SharePdus::new(data) {
        seen += 1;
        assert!(seen <= data.len(), "more PDUs than bytes");
        let Ok(pdu) = pdu else { break };
        if let SharePdu::Data(raw) = &pdu
            && let Ok(pdu) = raw.decode_uncompressed()
        {
            shows(&pdu, data);
            data_round_trip(raw.pdu_type, raw.payload);
        }
        shows(&pdu, data);
    }
    if let Some((kind, payload)) = data.split_first() {
        data_round_trip(DataPduType(*kind), payload);
    }
    round_trips!(data;
        ShareControlHeader, SharePdu<'_>, DemandActive, ConfirmActive, CapabilitySet, DeactivateAll,
        Synchronize, Control, FontList, FontMap, PersistentKeyList, RefreshRect, SuppressOutput, MonitorLayout,
        FrameAcknowledge, SaveSessionInfo, ErrorInfo,
    );
}

fn data_round_trip(kind: DataPduType, payload: &[u8]) {
    if let Ok(first) = ShareDataPdu::decode(kind, payload)
        && let Ok(bytes) = encode_vec(&first)
    {
        match ShareDataPdu::decode(kind, &bytes) {
            Ok(second) => assert_eq!(first, second),
            Err(error) => violated("ShareDataPdu", &error, &bytes),
        }
    }
}

/// Graphics and pointers of both paths, as far as the wire format goes.
pub fn output(data: &[u8]) {
    if let Ok(pdu) = decode::<FastPathOutputPdu<'_>>(data) {
        for update in pdu.updates().map_while(Result::ok) {
            if let Ok(body) = update.code.decode_body(update.data) {
                fast_path_body(&body);
            }
        }
    }
    if let Ok(update) = decode::<Update<'_>>(data) {
        graphics_update(&update);
    }
    for command in SurfaceCommands::new(data).iter().map_while(Result::ok) {
        shows(&command, data);
    }
    round_trips!(data;
        FastPathOutputPdu<'_>, FastPathUpdate<'_>, Update<'_>, BitmapUpdate<'_>, PaletteUpdate<'_>,
        PointerUpdate<'_>, SurfaceCommand<'_>,
    );
}

fn fast_path_body(body: &FastPathBody<'_>) {
    match body {
        FastPathBody::Graphics(update) => graphics_update(update),
        FastPathBody::Surface(commands) => {
            let _ = commands.iter().map_while(Result::ok).count();
        }
        FastPathBody::Pointer(_) | FastPathBody::Unknown(_) => {}
    }
}

fn graphics_update(update: &Update<'_>) {
    match update {
        Update::Orders(orders) => orders_update(orders),
        Update::Bitmap(bitmap) => {
            let _ = bitmap.rectangles().map_while(Result::ok).count();
        }
        Update::Palette(_) | Update::Synchronize | Update::Unknown { .. } => {}
    }
}

fn orders_update(orders: &OrdersUpdate<'_>) {
    let walked: usize = OrderWalker::new()
        .walk(orders)
        .map(|order| order.bytes.len())
        .sum();
    assert!(walked <= orders.data().len(), "orders longer than their update");
}

/// Input of both paths and channel chunks: what a client sends.
pub fn input(data: &[u8]) {
    if let Ok(pdu) = decode::<FastPathInputPdu<'_>>(data) {
        let events = pdu.events().map_while(Result::ok).count();
        assert!(events <= data.len());
    }
    if let Ok(pdu) = decode::<SlowPathInputPdu<'_>>(data) {
        let events = pdu.events().count();
        assert!(events <= data.len());
    }
    if let Some((length, message)) = data.split_first()
        && let Ok(cut) = chunks(message, ChannelFlags::SHOW_PROTOCOL, usize::from(*length))
    {
        let mut joined = Vec::new();
        cut.for_each(|chunk| joined.extend_from_slice(chunk.data));
        assert_eq!(joined, message, "a message changed by cutting it into chunks");
    }
    round_trips!(data; ChannelPduHeader, ChannelChunk<'_>);
}
