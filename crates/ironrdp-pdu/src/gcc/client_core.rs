//! Desktop, keyboard, name and abilities of a client.

use alloc::string::String;

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
};

use super::{
    ClientEarlyCapabilityFlags, ColorDepth, ConnectionType, DesktopOrientation, HighColorDepth, KeyboardType,
    RdpVersion, SupportedColorDepths,
};
use crate::DesktopSize;
use crate::text::{read_utf16, write_utf16_padded};
use crate::x224::SecurityProtocol;

const CLIENT_NAME_SIZE: usize = 32;
const IME_FILE_NAME_SIZE: usize = 64;
const PRODUCT_ID_SIZE: usize = 64;

/// Secure attention sequence Ctrl+Alt+Del (`RNS_UD_SAS_DEL`), the only one there is.
const SAS_DEL: u16 = 0xaa03;

/// A client's desktop, keyboard, name and abilities (TS_UD_CS_CORE, MS-RDPBCGR 2.2.1.3.2).
///
/// The optional fields are ordered: each is on the wire only if all before it are. Encoding refuses gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCoreData {
    /// Version the client speaks.
    pub version: RdpVersion,
    /// Width wanted, in pixels. See [`desktop_size`](Self::desktop_size).
    pub desktop_width: u16,
    /// Height wanted, in pixels.
    pub desktop_height: u16,
    /// Depth wanted of a server older than RDP 5.
    pub color_depth: ColorDepth,
    /// Secure attention sequence; 0xAA03.
    pub sas_sequence: u16,
    /// Active input locale, as Windows numbers it (0x0409 is US English).
    pub keyboard_layout: u32,
    /// Build of the client.
    pub client_build: u32,
    /// Name of the client's computer, 15 UTF-16 units at most. See [`set_client_name`](Self::set_client_name).
    pub client_name: String,
    /// Kind of keyboard.
    pub keyboard_type: KeyboardType,
    /// Variant of the kind; depends on the manufacturer.
    pub keyboard_sub_type: u32,
    /// Number of function keys.
    pub keyboard_function_key: u32,
    /// Input method editor in use, 31 UTF-16 units at most.
    pub ime_file_name: String,
    /// Depth wanted of RDP 5.0 servers.
    pub post_beta2_color_depth: Option<ColorDepth>,
    /// 1.
    pub client_product_id: Option<u16>,
    /// 0.
    pub serial_number: Option<u32>,
    /// Depth wanted.
    pub high_color_depth: Option<HighColorDepth>,
    /// Depths that will do.
    pub supported_color_depths: Option<SupportedColorDepths>,
    /// What the client can do.
    pub early_capability_flags: Option<ClientEarlyCapabilityFlags>,
    /// Product id of the client, 31 UTF-16 units at most.
    pub client_dig_product_id: Option<String>,
    /// The client's network. Counts only with
    /// [`VALID_CONNECTION_TYPE`](ClientEarlyCapabilityFlags::VALID_CONNECTION_TYPE).
    pub connection_type: Option<ConnectionType>,
    /// The protocol that the server selected, repeated so that an attacker's change of it is noticed.
    pub server_selected_protocol: Option<SecurityProtocol>,
    /// Width of the monitor in millimetres.
    pub desktop_physical_width: Option<u32>,
    /// Height of the monitor in millimetres.
    pub desktop_physical_height: Option<u32>,
    /// How the monitor is turned.
    pub desktop_orientation: Option<DesktopOrientation>,
    /// Scale of the desktop in per cent, 100 to 500.
    pub desktop_scale_factor: Option<u32>,
    /// Scale of modern applications in per cent: 100, 140 or 180.
    pub device_scale_factor: Option<u32>,
}

impl ClientCoreData {
    /// A client of RDP 10.7 with a US keyboard that wants a session of `size` in 32 bits a pixel.
    pub fn new(size: DesktopSize) -> Self {
        Self {
            version: RdpVersion::V10_7,
            desktop_width: size.width(),
            desktop_height: size.height(),
            color_depth: ColorDepth::Bpp8,
            sas_sequence: SAS_DEL,
            keyboard_layout: 0x0409,
            client_build: 19_045,
            client_name: String::new(),
            keyboard_type: KeyboardType::IbmEnhanced,
            keyboard_sub_type: 0,
            keyboard_function_key: 12,
            ime_file_name: String::new(),
            post_beta2_color_depth: Some(ColorDepth::Bpp8),
            client_product_id: Some(1),
            serial_number: Some(0),
            high_color_depth: Some(HighColorDepth::Bpp24),
            supported_color_depths: Some(
                SupportedColorDepths::BPP_32
                    | SupportedColorDepths::BPP_24
                    | SupportedColorDepths::BPP_16
                    | SupportedColorDepths::BPP_15,
            ),
            early_capability_flags: Some(
                ClientEarlyCapabilityFlags::SUPPORT_ERRINFO_PDU
                    | ClientEarlyCapabilityFlags::WANT_32BPP_SESSION
                    | ClientEarlyCapabilityFlags::STRONG_ASYMMETRIC_KEYS
                    | ClientEarlyCapabilityFlags::VALID_CONNECTION_TYPE,
            ),
            client_dig_product_id: Some(String::new()),
            connection_type: Some(ConnectionType::Lan),
            server_selected_protocol: Some(SecurityProtocol::empty()),
            desktop_physical_width: None,
            desktop_physical_height: None,
            desktop_orientation: None,
            desktop_scale_factor: None,
            device_scale_factor: None,
        }
    }

    /// The size wanted; `None` if a side is 0 or above [`DesktopSize::MAX`].
    pub const fn desktop_size(&self) -> Option<DesktopSize> {
        DesktopSize::new(self.desktop_width, self.desktop_height)
    }

    /// Bits a pixel wanted: 4, 8, 15, 16, 24 or 32, by the newest field that the client sent.
    pub fn wanted_bits_per_pixel(&self) -> u16 {
        let flags = self.early_capability_flags.unwrap_or_default();
        match (self.high_color_depth, self.post_beta2_color_depth) {
            (Some(HighColorDepth::Bpp24), _)
                if flags.contains(ClientEarlyCapabilityFlags::WANT_32BPP_SESSION) =>
            {
                32
            }
            (Some(depth), _) => depth.code(),
            (None, Some(depth)) => depth.bits_per_pixel(),
            (None, None) => self.color_depth.bits_per_pixel(),
        }
    }

    /// Sets the client's name, cut to the 15 UTF-16 units that the field holds.
    pub fn set_client_name(&mut self, name: &str) {
        const MAX_UNITS: usize = CLIENT_NAME_SIZE / 2 - 1;
        let mut units = 0;
        self.client_name = name
            .chars()
            .take_while(|c| {
                units += c.len_utf16();
                *c != '\0' && units <= MAX_UNITS
            })
            .collect();
    }

    /// What follows a field of the optional part: all later ones are absent once the input ends.
    fn read_optional(&mut self, src: &mut ReadCursor<'_>) -> DecodeResult<()> {
        /// Leaves at the end of the input, where no field has begun.
        macro_rules! field {
            ($field:ident, $value:expr) => {
                if src.is_empty() {
                    return Ok(());
                }
                self.$field = Some($value);
            };
        }
        field!(
            post_beta2_color_depth,
            ColorDepth::from_code(src.u16_le("postBeta2ColorDepth")?)
        );
        field!(client_product_id, src.u16_le("clientProductId")?);
        field!(serial_number, src.u32_le("serialNumber")?);
        field!(
            high_color_depth,
            HighColorDepth::from_code(src.u16_le("highColorDepth")?)
        );
        field!(
            supported_color_depths,
            SupportedColorDepths::from_bits_retain(src.u16_le("supportedColorDepths")?)
        );
        field!(
            early_capability_flags,
            ClientEarlyCapabilityFlags::from_bits_retain(src.u16_le("earlyCapabilityFlags")?)
        );
        field!(
            client_dig_product_id,
            read_utf16(src, PRODUCT_ID_SIZE, "clientDigProductId")?
        );
        field!(connection_type, {
            let connection_type = ConnectionType::from_code(src.u8("connectionType")?);
            // pad1octet is a field of its own in the list, but nothing comes of a block that ends before it.
            if !src.is_empty() {
                src.skip(1, "pad1octet")?;
            }
            connection_type
        });
        field!(
            server_selected_protocol,
            SecurityProtocol::from_bits_retain(src.u32_le("serverSelectedProtocol")?)
        );
        field!(desktop_physical_width, src.u32_le("desktopPhysicalWidth")?);
        field!(desktop_physical_height, src.u32_le("desktopPhysicalHeight")?);
        field!(
            desktop_orientation,
            DesktopOrientation::from_code(src.u16_le("desktopOrientation")?)
        );
        field!(desktop_scale_factor, src.u32_le("desktopScaleFactor")?);
        field!(device_scale_factor, src.u32_le("deviceScaleFactor")?);
        Ok(())
    }

    /// Size of each optional field if it is present, in their order.
    fn optional_sizes(&self) -> [Option<usize>; 14] {
        [
            self.post_beta2_color_depth.map(|_| 2),
            self.client_product_id.map(|_| 2),
            self.serial_number.map(|_| 4),
            self.high_color_depth.map(|_| 2),
            self.supported_color_depths.map(|_| 2),
            self.early_capability_flags.map(|_| 2),
            self.client_dig_product_id.as_ref().map(|_| PRODUCT_ID_SIZE),
            self.connection_type.map(|_| 1 + 1 /* pad1octet */),
            self.server_selected_protocol.map(|_| 4),
            self.desktop_physical_width.map(|_| 4),
            self.desktop_physical_height.map(|_| 4),
            self.desktop_orientation.map(|_| 2),
            self.desktop_scale_factor.map(|_| 4),
            self.device_scale_factor.map(|_| 4),
        ]
    }

    fn write_optional(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        if let Some(value) = self.post_beta2_color_depth {
            dst.u16_le(value.code())?;
        }
        if let Some(value) = self.client_product_id {
            dst.u16_le(value)?;
        }
        if let Some(value) = self.serial_number {
            dst.u32_le(value)?;
        }
        if let Some(value) = self.high_color_depth {
            dst.u16_le(value.code())?;
        }
        if let Some(value) = self.supported_color_depths {
            dst.u16_le(value.bits())?;
        }
        if let Some(value) = self.early_capability_flags {
            dst.u16_le(value.bits())?;
        }
        if let Some(value) = &self.client_dig_product_id {
            write_utf16_padded(dst, value, PRODUCT_ID_SIZE, "clientDigProductId")?;
        }
        if let Some(value) = self.connection_type {
            dst.bytes(&[value.code(), 0 /* pad1octet */])?;
        }
        if let Some(value) = self.server_selected_protocol {
            dst.u32_le(value.bits())?;
        }
        if let Some(value) = self.desktop_physical_width {
            dst.u32_le(value)?;
        }
        if let Some(value) = self.desktop_physical_height {
            dst.u32_le(value)?;
        }
        if let Some(value) = self.desktop_orientation {
            dst.u16_le(value.code())?;
        }
        if let Some(value) = self.desktop_scale_factor {
            dst.u32_le(value)?;
        }
        if let Some(value) = self.device_scale_factor {
            dst.u32_le(value)?;
        }
        Ok(())
    }
}

const MANDATORY_SIZE: usize = 4 /* version */ + 2 /* desktopWidth */ + 2 /* desktopHeight */
    + 2 /* colorDepth */ + 2 /* SASSequence */ + 4 /* keyboardLayout */ + 4 /* clientBuild */
    + CLIENT_NAME_SIZE + 4 /* keyboardType */ + 4 /* keyboardSubType */ + 4 /* keyboardFunctionKey */
    + IME_FILE_NAME_SIZE;

impl Decode<'_> for ClientCoreData {
    const NAME: &'static str = "ClientCoreData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut data = Self {
            version: RdpVersion(src.u32_le("version")?),
            desktop_width: src.u16_le("desktopWidth")?,
            desktop_height: src.u16_le("desktopHeight")?,
            color_depth: ColorDepth::from_code(src.u16_le("colorDepth")?),
            sas_sequence: src.u16_le("SASSequence")?,
            keyboard_layout: src.u32_le("keyboardLayout")?,
            client_build: src.u32_le("clientBuild")?,
            client_name: read_utf16(src, CLIENT_NAME_SIZE, "clientName")?,
            keyboard_type: KeyboardType::from_code(src.u32_le("keyboardType")?),
            keyboard_sub_type: src.u32_le("keyboardSubType")?,
            keyboard_function_key: src.u32_le("keyboardFunctionKey")?,
            ime_file_name: read_utf16(src, IME_FILE_NAME_SIZE, "imeFileName")?,
            post_beta2_color_depth: None,
            client_product_id: None,
            serial_number: None,
            high_color_depth: None,
            supported_color_depths: None,
            early_capability_flags: None,
            client_dig_product_id: None,
            connection_type: None,
            server_selected_protocol: None,
            desktop_physical_width: None,
            desktop_physical_height: None,
            desktop_orientation: None,
            desktop_scale_factor: None,
            device_scale_factor: None,
        };
        data.read_optional(src)?;
        Ok(data)
    }
}

impl Encode for ClientCoreData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        MANDATORY_SIZE + self.optional_sizes().iter().flatten().sum::<usize>()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let mut absent = self
            .optional_sizes()
            .into_iter()
            .skip_while(|size| size.is_some());
        if absent.any(|size| size.is_some()) {
            return Err(EncodeError::new(
                Self::NAME,
                "optional fields",
                EncodeErrorKind::Invalid,
            ));
        }
        dst.u32_le(self.version.0)?;
        dst.u16_le(self.desktop_width)?;
        dst.u16_le(self.desktop_height)?;
        dst.u16_le(self.color_depth.code())?;
        dst.u16_le(self.sas_sequence)?;
        dst.u32_le(self.keyboard_layout)?;
        dst.u32_le(self.client_build)?;
        write_utf16_padded(dst, &self.client_name, CLIENT_NAME_SIZE, "clientName")?;
        dst.u32_le(self.keyboard_type.code())?;
        dst.u32_le(self.keyboard_sub_type)?;
        dst.u32_le(self.keyboard_function_key)?;
        write_utf16_padded(dst, &self.ime_file_name, IME_FILE_NAME_SIZE, "imeFileName")?;
        self.write_optional(dst)
    }
}
