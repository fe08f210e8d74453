//! Generic Conference Control (T.124): the settings that client and server exchange before anything else.
//!
//! Each side sends a list of blocks, [`ClientGccBlocks`] or [`ServerGccBlocks`], wrapped in a conference PDU inside
//! the MCS connect PDU.

mod block;
pub use block::RawBlock;

mod client;
pub use client::ClientGccBlocks;

mod client_cluster;
pub use client_cluster::{
    ClientClusterData, ClientMessageChannelData, ClientMultitransportChannelData, ClusterFlags,
    MultitransportFlags,
};

mod client_core;
pub use client_core::ClientCoreData;

mod client_core_values;
pub use client_core_values::{
    ClientEarlyCapabilityFlags, ColorDepth, ConnectionType, DesktopOrientation, HighColorDepth, KeyboardType,
    SupportedColorDepths,
};

mod client_monitor;
pub use client_monitor::{ClientMonitorData, ClientMonitorExtendedData, ExtendedMonitor, MAX_MONITORS};

mod client_network;
pub use client_network::{ChannelDefinition, ChannelName, ChannelOptions, ClientNetworkData, MAX_CHANNELS};

mod conference;
pub use conference::{ConferenceCreateRequest, ConferenceCreateResponse, ConferenceResult};

mod security;
pub use security::{ClientSecurityData, EncryptionLevel, EncryptionMethods, ServerKeys, ServerSecurityData};

mod server;
pub use server::{
    ServerCoreData, ServerEarlyCapabilityFlags, ServerGccBlocks, ServerMessageChannelData,
    ServerMultitransportChannelData, ServerNetworkData,
};

mod version;
pub use version::RdpVersion;
