//! Small messages of the server: sounds, keyboard lights, progress of a connection.

use crate::fields::{codes, flags, rows};

flags! {
    /// Lights of the keyboard (`ledFlags` of `TS_SET_KEYBOARD_INDICATORS_PDU`).
    pub struct KeyboardLeds: u16 {
        /// Scroll Lock.
        const SCROLL_LOCK = 0x0001;
        /// Num Lock.
        const NUM_LOCK = 0x0002;
        /// Caps Lock.
        const CAPS_LOCK = 0x0004;
        /// Kana Lock.
        const KANA_LOCK = 0x0008;
    }
}

codes! {
    /// How far a broker is with a connection (`statusCode`, MS-RDPBCGR 2.2.5.2).
    pub struct StatusCode(u32) {
        /// The target computer is being looked up.
        FINDING_DESTINATION = 0x0000_0401;
        /// The target computer is being loaded.
        LOADING_DESTINATION = 0x0000_0402;
        /// The session is being brought online.
        BRINGING_SESSION_ONLINE = 0x0000_0403;
        /// The client is about to be redirected.
        REDIRECTING_TO_DESTINATION = 0x0000_0404;
        /// A virtual machine is being loaded.
        VM_LOADING = 0x0000_0501;
        /// A virtual machine is being resumed.
        VM_WAKING = 0x0000_0502;
        /// A virtual machine is being booted.
        VM_STARTING = 0x0000_0503;
        /// Monitoring of a virtual machine is being started.
        VM_STARTING_MONITORING = 0x0000_0504;
        /// Monitoring of a virtual machine is being tried again.
        VM_RETRYING_MONITORING = 0x0000_0505;
    }
}

rows! {
    /// Asks the client to beep (`TS_PLAY_SOUND_PDU_DATA`, MS-RDPBCGR 2.2.9.1.1.5.1).
    pub struct PlaySound {
        /// In milliseconds.
        pub duration_ms: u32 = "duration",
        /// In hertz.
        pub frequency_hz: u32 = "frequency",
    }

    /// Sets the lights of the client's keyboard (`TS_SET_KEYBOARD_INDICATORS_PDU`, MS-RDPBCGR 2.2.8.2.1.1).
    pub struct SetKeyboardIndicators {
        /// Ignored by clients.
        pub unit_id: u16 = "unitId",
        /// Which lights are on.
        pub leds: KeyboardLeds = "ledFlags",
    }

    /// Sets the state of the client's input method (`TS_SET_KEYBOARD_IME_STATUS_PDU`, MS-RDPBCGR 2.2.8.2.2.1).
    pub struct SetKeyboardImeStatus {
        /// Ignored by clients.
        pub unit_id: u16 = "unitId",
        /// `IME_STATE_*`: closed, open, and for Korean with or without conversion.
        pub state: u32 = "imeState",
        /// `IME_CMODE_*` bits: the conversion mode.
        pub conversion_mode: u32 = "imeConvMode",
    }

    /// Says that an auto-reconnect cookie was refused, so that a login follows
    /// (`TS_AUTORECONNECT_STATUS_PDU`, MS-RDPBCGR 2.2.4.1.1).
    pub struct AutoReconnectStatus {
        /// Always zero as the specification has it; kept.
        pub status: u32 = "arcStatus",
    }

    /// Says how far a connection through a broker is (`TS_STATUS_INFO_PDU`, MS-RDPBCGR 2.2.5.2).
    pub struct StatusInfo {
        /// The step.
        pub code: StatusCode = "statusCode",
    }
}
