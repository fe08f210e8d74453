//! Capabilities: the worked examples, short sets, what real peers send, and what must be refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod common;

use common::{assert_length_lies, decode_error, encode_round_trip, hex, round_trip_strict, vector};
use ironrdp_core::{Decode, DecodeErrorKind, Encode, decode_exact, encode_vec};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::capability::{
    Bitmap, BitmapCacheHostSupport, BitmapCacheRev1, BitmapCacheRev2, BitmapCacheRev2Flags, BitmapCodec,
    BitmapCodecs, BitmapDrawingFlags, Brush, BrushSupport, CacheDefinition, Capability, CapabilitySet,
    CapabilitySetType, CellInfo, CodecProperties, ColorCache, ConfirmActive, Control, DemandActive,
    DesktopComposition, DrawGdiPlus, DrawNineGrid, Font, FrameAcknowledge, General, GeneralExtraFlags,
    GlyphCache, Guid, Input, InputFlags, InputKeyboard, LargePointer, MultifragmentUpdate,
    NsCodecCapabilities, OffscreenCache, Order, OrderFlags, OrderSupport, OsMajorType, OsMinorType, Pointer,
    Rail, RfxClientCapabilities, RfxCodec, RfxCodecFlags, RfxEntropy, Share, Sound, SoundFlags,
    SurfaceCommands, VirtualChannel, Window, WindowActivation,
};
use ironrdp_pdu::share::{ShareControl, SharePdu};

fn demand(bytes: &'static [u8]) -> ShareControl<DemandActive> {
    match decode_exact::<SharePdu<'_>>(bytes).unwrap() {
        SharePdu::DemandActive(pdu) => pdu,
        other => panic!("{other:?}"),
    }
}

fn confirm(bytes: &'static [u8]) -> ShareControl<ConfirmActive> {
    match decode_exact::<SharePdu<'_>>(bytes).unwrap() {
        SharePdu::ConfirmActive(pdu) => pdu,
        other => panic!("{other:?}"),
    }
}

fn kinds(sets: &[CapabilitySet]) -> Vec<u16> {
    sets.iter().map(|set| set.kind().0).collect()
}

#[test]
fn a_windows_server_demands() {
    let bytes = vector("capability/demand_active.bin");
    // The padding of its share set (2.2.7.2.4, to be ignored) is uninitialised memory, which we do not repeat.
    let mut canonical = bytes.to_vec();
    canonical[28..30].fill(0);
    let pdu = round_trip_strict::<SharePdu<'_>>(canonical.leak());
    assert_eq!(decode_exact::<SharePdu<'_>>(bytes).unwrap(), pdu);
    let ShareControl { source, pdu } = demand(bytes);
    assert_eq!((source, pdu.share_id, pdu.session_id), (1002, 66_538, 0));
    assert_eq!(pdu.source_descriptor, b"RDP\0");
    assert_eq!(kinds(&pdu.sets), [9, 1, 20, 22, 14, 2, 3, 10, 18, 8, 13, 23, 24]);
    assert_eq!(pdu.find::<Share>(), Some(&Share::server()));
    assert_eq!(
        pdu.find::<General>(),
        Some(&General {
            os_major: OsMajorType::WINDOWS,
            os_minor: OsMinorType::WINDOWS_NT,
            protocol_version: 0x0200,
            extra_flags: GeneralExtraFlags::from_bits_retain(0x041d),
            refresh_rect_support: true,
            suppress_output_support: true,
        })
    );
    let bitmap = pdu.find::<Bitmap>().unwrap();
    assert_eq!(bitmap.bits_per_pixel, 24);
    assert_eq!(bitmap.desktop_size(), DesktopSize::new(1280, 1024));
    assert_eq!(pdu.find::<VirtualChannel>().unwrap().chunk_size, Some(1600));
    let order = pdu.find::<Order>().unwrap();
    assert_eq!(order.desktop_save_size, 1_000_000);
    assert_eq!(
        order.flags,
        OrderFlags::NEGOTIATE_ORDER_SUPPORT | OrderFlags::COLOR_INDEX
    );
    assert!(order.support.has(OrderSupport::MEM_BLT) && !order.support.has(OrderSupport::FAST_INDEX + 32));
    assert_eq!(pdu.find::<Pointer>().unwrap().cache_size, Some(25));
    assert_eq!(pdu.find::<Input>().unwrap().flags.bits(), 0x35);
    assert_eq!(pdu.find::<Sound>(), None);
}

#[test]
fn a_windows_client_confirms() {
    let bytes = vector("capability/confirm_active.bin");
    round_trip_strict::<SharePdu<'_>>(bytes);
    let ShareControl { source, pdu } = confirm(bytes);
    assert_eq!((source, pdu.share_id, pdu.originator_id), (1007, 66_538, 1002));
    assert_eq!(pdu.source_descriptor, b"MSTSC\0");
    assert_eq!(
        kinds(&pdu.sets),
        [1, 2, 3, 19, 10, 7, 5, 8, 9, 13, 12, 14, 16, 15, 17, 20, 21, 22]
    );
    let caches = pdu.find::<BitmapCacheRev2>().unwrap();
    assert_eq!(caches.count, 3);
    assert_eq!(caches.flags, BitmapCacheRev2Flags::all());
    assert_eq!(caches.caches[1], CellInfo::new(120, false));
    assert_eq!(caches.caches[2], CellInfo::new(2_555, true));
    assert_eq!(pdu.find::<Brush>().unwrap().support, BrushSupport::COLOR_8X8);
    assert_eq!(pdu.find::<Sound>().unwrap().flags, SoundFlags::BEEPS);
    assert_eq!(pdu.find::<Control>(), Some(&Control::default()));
    assert_eq!(pdu.find::<WindowActivation>(), Some(&WindowActivation::default()));
    assert_eq!(pdu.find::<Font>(), Some(&Font::default()));
    let keyboard = pdu.find::<Input>().unwrap().keyboard.unwrap();
    assert_eq!(
        (keyboard.layout, keyboard.kind, keyboard.function_keys),
        (0x0409, 4, 12)
    );
    assert_eq!(keyboard.ime_file_name(), "");
    let glyphs = pdu.find::<GlyphCache>().unwrap();
    assert_eq!(glyphs.support.0, 3);
    assert_eq!(glyphs.caches, GlyphCache::default().caches);
    assert_eq!(glyphs.fragments, GlyphCache::default().fragments);
    let offscreen = pdu.find::<OffscreenCache>().unwrap();
    assert_eq!(
        (offscreen.support, offscreen.cache_size_kib, offscreen.entries),
        (1, 7680, 100)
    );
    let nine_grid = pdu.find::<DrawNineGrid>().unwrap();
    assert_eq!(
        (nine_grid.support, nine_grid.cache_size_kib, nine_grid.entries),
        (2, 2560, 256)
    );
}

/// A set of type and length before `T`'s own encoding, through every check there is.
fn check<T>(set: T, wanted: &str)
where
    T: Capability + Decode<'static> + Clone + PartialEq + std::fmt::Debug,
    CapabilitySet: From<T>,
{
    let bytes = encode_round_trip(&set);
    assert_eq!(bytes, hex(wanted), "{set:?}");
    let whole = CapabilitySet::from(set.clone());
    assert_eq!(whole.kind(), T::TYPE);
    assert_eq!(T::from_set(&whole), Some(&set));
    let whole_bytes = encode_vec(&whole).unwrap();
    assert_eq!(whole_bytes[..2], T::TYPE.0.to_le_bytes());
    assert_eq!(usize::from(whole_bytes[2]), bytes.len() + 4);
    round_trip_strict::<CapabilitySet>(whole_bytes.leak());
}

#[test]
fn every_kind_of_set_has_its_layout() {
    let zeros = |count: usize| "00".repeat(count);
    check(
        General::default(),
        "0100 0300 0002 0000 0000 0504 0000 0000 0000 00 00",
    );
    check(
        General::server(),
        "0100 0300 0002 0000 0000 0504 0000 0000 0000 01 01",
    );
    check(
        Bitmap::new(32, DesktopSize::new(1024, 768).unwrap()),
        "2000 0100 0100 0100 0004 0003 0000 0100 0100 00 0e 0100 0000",
    );
    let orders = OrderSupport::default()
        .with(OrderSupport::DST_BLT)
        .with(OrderSupport::GLYPH_INDEX)
        .with(99);
    check(
        Order {
            support: orders,
            ..Order::default()
        },
        &[
            zeros(20).as_str(),
            "0100 1400 0000 0100 0000 2a00 01",
            &zeros(26),
            "01 00000000 0000 0000",
            &zeros(4),
            "00840300",
            &zeros(8),
        ]
        .concat(),
    );
    let cell = CacheDefinition {
        entries: 200,
        max_cell_size: 256,
    };
    check(
        BitmapCacheRev1 { caches: [cell; 3] },
        &[zeros(24).as_str(), &"c8000001".repeat(3)].concat(),
    );
    check(
        BitmapCacheRev2::default(),
        &["0200 00 03 78000000 78000000 fb090000", zeros(20).as_str()].concat(),
    );
    check(ColorCache::default(), "0600 0000");
    check(Pointer::default(), "0100 1900 1900");
    check(
        Pointer {
            cache_size: None,
            ..Pointer::default()
        },
        "0100 1900",
    );
    check(
        Input::default(),
        &[
            "3d01 0000 09040000 04000000 00000000 0c000000",
            zeros(64).as_str(),
        ]
        .concat(),
    );
    check(
        Input {
            flags: InputFlags::SCANCODES,
            keyboard: None,
        },
        "0100 0000",
    );
    check(Brush::default(), "00000000");
    let glyph = CacheDefinition {
        entries: 1,
        max_cell_size: 2,
    };
    check(
        GlyphCache {
            caches: [glyph; 10],
            fragments: glyph,
            ..GlyphCache::default()
        },
        &["01000200".repeat(11).as_str(), "0000 0000"].concat(),
    );
    check(
        OffscreenCache {
            support: 1,
            cache_size_kib: 7680,
            entries: 100,
        },
        "01000000 001e 6400",
    );
    check(VirtualChannel::default(), "00000000 40060000");
    check(
        VirtualChannel {
            chunk_size: None,
            ..VirtualChannel::default()
        },
        "00000000",
    );
    check(
        DrawNineGrid {
            support: 2,
            cache_size_kib: 2560,
            entries: 256,
        },
        "02000000 000a 0001",
    );
    check(
        DrawGdiPlus {
            support: 1,
            version: 2,
            cache_level: 3,
            cache_entries: [4, 5, 6, 7, 8],
            cache_chunk_size: [9, 10, 11, 12],
            image_cache: [13, 14, 15],
        },
        "01000000 02000000 03000000 0400 0500 0600 0700 0800 0900 0a00 0b00 0c00 0d00 0e00 0f00",
    );
    check(Share::default(), "0000 0000");
    check(Font::default(), "0100 0000");
    check(Control::default(), "0000 0000 0200 0200");
    check(WindowActivation::default(), "0000 0000 0000 0000");
    check(Sound::default(), "0100 0000");
    check(BitmapCacheHostSupport::default(), "01 00 0000");
    check(DesktopComposition { support: true }, "0100");
    check(MultifragmentUpdate::default(), "00004000");
    check(LargePointer::default(), "0300");
    check(SurfaceCommands::default(), "52000000 00000000");
    check(FrameAcknowledge::default(), "02000000");
    check(Rail::default(), "00000000");
    check(Window::default(), "00000000 00 0000");
    check(BitmapCodecs::default(), "00");
}

#[test]
fn codecs_have_their_identifiers_and_properties() {
    let codecs = BitmapCodecs {
        codecs: vec![
            BitmapCodec::ns_codec(NsCodecCapabilities::default()),
            BitmapCodec::remote_fx_client(RfxClientCapabilities::default()),
            BitmapCodec {
                guid: Guid::JPEG,
                id: 0,
                properties: CodecProperties::Raw(vec![75]),
            },
        ],
    };
    check(
        codecs.clone(),
        "03
         b91b8dca 0f00 4f15 589fae2d1a87e2d6 01 0300 01 01 03
         122f7776 72bd 6344 afb3b73c9c6f7886 03 4100
             41000000 01000000 35000000
             c0cb 08000000 0100
             c1cb 2d000000 01 c0cf 0400 0800
             0001 4000 00 01 01 01
             0001 4000 02 01 01 01
             0001 4000 00 01 01 04
             0001 4000 02 01 01 04
         ed9e0c43 af1b e64c 869acb8b37b66237 00 0100 4b",
    );
    assert_eq!(codecs.find(Guid::REMOTE_FX), Some(&codecs.codecs[1]));
    assert_eq!(codecs.find(Guid::IGNORE), None);
    assert_eq!(
        Guid::IMAGE_REMOTE_FX.to_string(),
        "2744ccd4-9d8a-4e74-803c-0ecbeea19c54"
    );
    assert_eq!(Guid::NS_CODEC.to_string(), "ca8d1bb9-000f-154f-589f-ae2d1a87e2d6");
}

#[test]
fn a_servers_codec_properties_of_any_length_are_zeros_to_keep() {
    let servers = BitmapCodecs {
        codecs: vec![
            BitmapCodec::remote_fx_server(),
            BitmapCodec {
                guid: Guid::IMAGE_REMOTE_FX,
                id: 0,
                properties: CodecProperties::Raw(vec![0; 256]),
            },
            // FreeRDP's servers: four bytes where the client has three.
            BitmapCodec {
                guid: Guid::NS_CODEC,
                id: 1,
                properties: CodecProperties::Raw(vec![0; 4]),
            },
            BitmapCodec {
                guid: Guid::REMOTE_FX,
                id: 0,
                properties: CodecProperties::Raw(vec![]),
            },
        ],
    };
    encode_round_trip(&servers);
}

#[test]
fn remote_fx_lengths_that_lie_are_refused() {
    let good = encode_vec(&RfxClientCapabilities::default()).unwrap();
    for (at, field) in [
        (0, "length"),
        (8, "capsLength"),
        (14, "blockLen"),
        (22, "blockLen"),
    ] {
        for value in [0xff, 0x00] {
            let mut bytes = good.clone();
            bytes[at] = value;
            let error = decode_error::<RfxClientCapabilities>(&bytes);
            assert_eq!(error.pdu(), "RfxClientCapabilities");
            if value != 0 || at != 8 {
                assert!(
                    matches!(error.kind(), DecodeErrorKind::LengthLies { .. }),
                    "{error}"
                );
                assert_eq!(error.field(), field);
            }
        }
    }
    let mut longer = good.clone();
    longer[29] = 0xff; // wrong: numIcaps
    assert_eq!(decode_error::<RfxClientCapabilities>(&longer).field(), "icapLen");
    let mut another = good;
    another[12] = 0; // wrong: blockType
    assert_eq!(
        decode_error::<RfxClientCapabilities>(&another).field(),
        "blockType"
    );
    let codec = RfxCodec::new(RfxCodecFlags::IMAGE_MODE, RfxEntropy::RLGR3);
    encode_round_trip(&RfxClientCapabilities {
        codecs: vec![codec],
        ..RfxClientCapabilities::default()
    });
}

#[test]
fn short_sets_of_real_peers_are_accepted() {
    for (bytes, wanted) in [
        ("0e00 0400", CapabilitySet::Font(Font::default())),
        ("0e00 0600 0100", CapabilitySet::Font(Font::default())),
        ("1d00 0400", CapabilitySet::BitmapCodecs(BitmapCodecs::default())),
        (
            "0d00 0600 0100",
            CapabilitySet::Input(Input {
                flags: InputFlags::SCANCODES,
                keyboard: None,
            }),
        ),
        (
            "1c00 0800 52000000",
            CapabilitySet::SurfaceCommands(SurfaceCommands::default()),
        ),
        ("0a00 0600 0600", CapabilitySet::ColorCache(ColorCache::default())),
    ] {
        assert_eq!(
            decode_exact::<CapabilitySet>(hex(bytes)).unwrap(),
            wanted,
            "{bytes}"
        );
    }
}

#[test]
fn bytes_after_a_sets_fields_are_skipped() {
    let longer = decode_exact::<CapabilitySet>(hex("1b00 0800 0300 ffff")).unwrap();
    assert_eq!(longer, CapabilitySet::LargePointer(LargePointer::default()));
}

#[test]
fn unknown_sets_are_kept_as_bytes() {
    // xrdp sends a set of type 6; the specification has none.
    let bytes = hex("0600 0800 01020304");
    let set: CapabilitySet = round_trip_strict(bytes);
    assert_eq!(
        set,
        CapabilitySet::Unknown {
            kind: CapabilitySetType(6),
            body: vec![1, 2, 3, 4]
        }
    );
}

#[test]
fn set_lengths_that_lie_are_refused() {
    for bytes in [
        "0100 0300 00000000",
        "0100 0000",
        "0600 0900 01020304",
        "0600 ffff 01",
    ] {
        assert_length_lies::<CapabilitySet>(hex(bytes), "CapabilitySet", "lengthCapability");
    }
    let error = decode_error::<CapabilitySet>(hex("1a00 0600 0000 0000"));
    assert_eq!(
        (error.pdu(), error.field(), error.offset()),
        ("MultifragmentUpdate", "MaxRequestSize", 4)
    );
}

/// A Demand Active body with one General and one unknown set, a number of sets and a combined length.
fn small_demand(number: u8, combined: u8) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 0, 4, 0, combined, 0];
    bytes.extend(b"RDP\0");
    bytes.extend([number, 0, 0, 0]);
    bytes.extend(encode_vec(&CapabilitySet::from(General::default())).unwrap());
    bytes.extend(hex("0600 0600 0102"));
    bytes.extend([7, 0, 0, 0]);
    bytes
}

#[test]
fn the_number_of_sets_is_not_believed() {
    let combined = 4 + 24 + 6;
    for number in [2, 0, 1, 3, 255] {
        let pdu: DemandActive = decode_exact(&small_demand(number, combined)).unwrap();
        assert_eq!(kinds(&pdu.sets), [1, 6], "{number}");
        assert_eq!(pdu.session_id, 7);
    }
}

#[test]
fn combined_lengths_that_lie_are_refused() {
    assert_length_lies::<DemandActive>(
        &small_demand(2, 0xff),
        "DemandActive",
        "lengthCombinedCapabilities",
    );
    // Inside a set, inside the next header, and before the count.
    assert_length_lies::<DemandActive>(&small_demand(2, 4 + 24 + 5), "CapabilitySet", "lengthCapability");
    assert_eq!(
        decode_error::<DemandActive>(&small_demand(2, 4 + 24 + 2)).field(),
        "lengthCapability"
    );
    assert_eq!(
        decode_error::<DemandActive>(&small_demand(2, 3)).field(),
        "numberCapabilities"
    );
    let mut bytes = small_demand(2, 34);
    bytes[5] = 0xff; // wrong: lengthSourceDescriptor
    assert_length_lies::<DemandActive>(&bytes, "DemandActive", "lengthSourceDescriptor");
}

#[test]
fn a_missing_session_id_is_zero_and_a_cut_one_an_error() {
    let mut bytes = small_demand(2, 34);
    bytes.truncate(bytes.len() - 4);
    assert_eq!(decode_exact::<DemandActive>(&bytes).unwrap().session_id, 0);
    bytes.push(0);
    assert_eq!(decode_error::<DemandActive>(&bytes).field(), "sessionId");
}

#[test]
fn what_we_build_is_what_arrives() {
    let sets: Vec<CapabilitySet> = vec![
        General::default().into(),
        Bitmap::new(32, DesktopSize::new(1024, 768).unwrap()).into(),
        Order::default().into(),
        Input {
            keyboard: Some(InputKeyboard::default()),
            ..Input::default()
        }
        .into(),
        BitmapCodecs {
            codecs: vec![BitmapCodec::ns_codec(NsCodecCapabilities::default())],
        }
        .into(),
    ];
    let sent = ConfirmActive::new(9, sets.clone());
    let bytes = encode_vec(&ShareControl {
        source: 1007,
        pdu: sent.clone(),
    })
    .unwrap();
    let received = confirm(bytes.leak());
    assert_eq!(received.pdu, sent);
    assert_eq!(
        received.pdu.find::<Bitmap>().unwrap().drawing_flags,
        BitmapDrawingFlags::from_bits_retain(0x0e)
    );
    let sent = DemandActive::new(9, sets);
    let bytes = encode_vec(&ShareControl {
        source: 1002,
        pdu: sent.clone(),
    })
    .unwrap();
    assert_eq!(demand(bytes.leak()).pdu, sent);
}

#[test]
fn sets_too_large_for_their_lengths_are_not_sent() {
    let huge = CapabilitySet::Unknown {
        kind: CapabilitySetType(99),
        body: vec![0; 0x1_0000],
    };
    assert_eq!(encode_vec(&huge).unwrap_err().field(), "lengthCapability");
    let many = DemandActive::new(
        1,
        vec![
            CapabilitySet::Unknown {
                kind: CapabilitySetType(99),
                body: vec![0; 0x8000],
            };
            2
        ],
    );
    assert_eq!(
        encode_vec(&many).unwrap_err().field(),
        "lengthCombinedCapabilities"
    );
    assert_eq!(many.size(), 4 + 2 + 2 + 4 + 4 + 2 * (4 + 0x8000) + 4);
}
