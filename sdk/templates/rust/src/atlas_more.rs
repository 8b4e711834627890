//! The rest of the plugin ABI of Atlas 1.0, beside atlas.rs: bus, identity, listener, streams, protocols. For a role
//! that needs one of them: `mod atlas_more;`. A test of Atlas compares the layout with that of the C headers.
#![allow(non_camel_case_types, dead_code)]

use super::atlas::*;
use std::os::raw::{c_char, c_void};

// --- atlas.bus/1 ---

pub const ATLAS_EXT_BUS: &str = "atlas.bus/1\0";

pub type atlas_bus_call = u64;

#[repr(C)]
pub struct atlas_bus_event {
    pub struct_size: u32,
    pub reserved: u32,
    pub topic: atlas_text,
    pub from: atlas_text,
    pub body: atlas_bytes,
}

#[repr(C)]
pub struct atlas_bus_request {
    pub struct_size: u32,
    pub reserved: u32,
    pub call: atlas_bus_call,
    pub service: atlas_text,
    pub from: atlas_text,
    pub body: atlas_bytes,
}

#[repr(C)]
pub struct atlas_bus_answer {
    pub struct_size: u32,
    pub status: atlas_status,
    pub body: atlas_bytes,
    pub error: atlas_text,
}

pub type atlas_bus_answer_fn = unsafe extern "C" fn(arg: *mut c_void, answer: *const atlas_bus_answer);

#[repr(C)]
pub struct atlas_ext_bus {
    pub struct_size: u32,
    pub publish: Option<unsafe extern "C" fn(*const atlas_host, atlas_text, atlas_bytes, *mut u32) -> atlas_status>,
    pub subscribe: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            topic: atlas_text,
            run: Option<unsafe extern "C" fn(this: *mut c_void, event: *const atlas_bus_event)>,
        ) -> atlas_status,
    >,
    pub offer: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            service: atlas_text,
            run: Option<unsafe extern "C" fn(this: *mut c_void, request: *const atlas_bus_request) -> atlas_status>,
        ) -> atlas_status,
    >,
    pub request: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            service: atlas_text,
            body: atlas_bytes,
            timeout_ms: u32,
            done: Option<atlas_bus_answer_fn>,
            arg: *mut c_void,
        ) -> atlas_status,
    >,
    pub answer: Option<unsafe extern "C" fn(*const atlas_host, atlas_bus_call, atlas_bytes) -> atlas_status>,
    pub fail: Option<unsafe extern "C" fn(*const atlas_host, atlas_bus_call, atlas_status, atlas_text) -> atlas_status>,
}

// --- atlas.identity/1 ---

pub const ATLAS_EXT_IDENTITY: &str = "atlas.identity/1\0";

#[repr(C)]
#[derive(Clone, Copy)]
pub struct atlas_public_key {
    pub bytes: [u8; 32],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct atlas_signature {
    pub bytes: [u8; 64],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct atlas_node_id {
    pub text: [c_char; 70],
}

#[repr(C)]
pub struct atlas_ext_identity {
    pub struct_size: u32,
    pub self_: Option<unsafe extern "C" fn(*const atlas_host, *mut atlas_public_key) -> atlas_status>,
    pub peer: Option<unsafe extern "C" fn(*const atlas_host, atlas_peer, *mut atlas_public_key) -> atlas_status>,
    pub node_id:
        Option<unsafe extern "C" fn(*const atlas_host, *const atlas_public_key, *mut atlas_node_id) -> atlas_status>,
    pub sign: Option<
        unsafe extern "C" fn(*const atlas_host, atlas_text, atlas_bytes, out: *mut atlas_signature) -> atlas_status,
    >,
    pub verify: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: *const atlas_public_key,
            plugin: atlas_text,
            context: atlas_text,
            message: atlas_bytes,
            signature: *const atlas_signature,
        ) -> atlas_status,
    >,
}

// --- atlas.listener/1 ---

pub const ATLAS_EXT_LISTENER: &str = "atlas.listener/1\0";
pub const ATLAS_NAT_UNKNOWN: u32 = 0;
pub const ATLAS_NAT_NONE: u32 = 1;
pub const ATLAS_NAT_MAPPED: u32 = 2;
pub const ATLAS_NAT_SYMMETRIC: u32 = 3;

#[repr(C)]
pub struct atlas_listener_info {
    pub struct_size: u32,
    pub listening: u32,
    pub bound: *const atlas_text,
    pub bound_count: usize,
    pub protocols: *const atlas_text,
    pub protocol_count: usize,
    pub public_address: atlas_text,
    pub nat: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct atlas_ext_listener {
    pub struct_size: u32,
    pub info: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            arg: *mut c_void,
            each: Option<unsafe extern "C" fn(arg: *mut c_void, info: *const atlas_listener_info)>,
        ) -> atlas_status,
    >,
    pub watch: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            changed: Option<unsafe extern "C" fn(this: *mut c_void)>,
        ) -> atlas_status,
    >,
}

// --- atlas.streams/1 ---

pub const ATLAS_EXT_STREAMS: &str = "atlas.streams/1\0";
pub const ATLAS_STREAM_DATA: u32 = 1;
pub const ATLAS_STREAM_WRITABLE: u32 = 2;
pub const ATLAS_STREAM_RESET: u32 = 3;
pub const ATLAS_STREAM_STOPPED: u32 = 4;
pub const ATLAS_STREAM_CLOSED: u32 = 5;

pub type atlas_stream = u64;

#[repr(C)]
pub struct atlas_stream_event {
    pub struct_size: u32,
    pub what: u32,
    pub stream: atlas_stream,
    pub arg: *mut c_void,
    pub data: atlas_bytes,
    pub fin: u32,
    pub status: atlas_status,
    pub code: u64,
}

pub type atlas_stream_event_fn = unsafe extern "C" fn(this: *mut c_void, event: *const atlas_stream_event);

#[repr(C)]
pub struct atlas_stream_opened {
    pub struct_size: u32,
    pub type_: u8,
    pub reserved: [u8; 3],
    pub from: atlas_peer,
    pub stream: atlas_stream,
    pub opening: atlas_bytes,
}

pub type atlas_stream_opened_fn =
    unsafe extern "C" fn(this: *mut c_void, stream: *const atlas_stream_opened) -> atlas_status;

#[repr(C)]
pub struct atlas_ext_streams {
    pub struct_size: u32,
    pub accept: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            type_: u8,
            opened: Option<atlas_stream_opened_fn>,
            event: Option<atlas_stream_event_fn>,
        ) -> atlas_status,
    >,
    pub open: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            to: atlas_peer,
            type_: u8,
            opening: atlas_bytes,
            event: Option<atlas_stream_event_fn>,
            arg: *mut c_void,
            out: *mut atlas_stream,
        ) -> atlas_status,
    >,
    pub set_arg: Option<unsafe extern "C" fn(*const atlas_host, atlas_stream, *mut c_void) -> atlas_status>,
    pub write: Option<unsafe extern "C" fn(*const atlas_host, atlas_stream, atlas_bytes) -> atlas_status>,
    pub finish: Option<unsafe extern "C" fn(*const atlas_host, atlas_stream) -> atlas_status>,
    pub reset: Option<unsafe extern "C" fn(*const atlas_host, atlas_stream, code: u64) -> atlas_status>,
    pub stop: Option<unsafe extern "C" fn(*const atlas_host, atlas_stream, code: u64) -> atlas_status>,
    pub credit: Option<unsafe extern "C" fn(*const atlas_host, atlas_stream, bytes: u64) -> atlas_status>,
}

// --- atlas.protocols/1 ---

pub const ATLAS_EXT_PROTOCOLS: &str = "atlas.protocols/1\0";
pub const ATLAS_PROTOCOL_ACCEPTS: u32 = 1;
pub const ATLAS_PROTOCOL_CLIENT_CERT: u32 = 2;
pub const ATLAS_CONNECTION_UP: u32 = 1;
pub const ATLAS_CONNECTION_DOWN: u32 = 2;
pub const ATLAS_CONNECTION_STREAM: u32 = 3;
pub const ATLAS_CLOSED_LOCAL: u32 = 1;
pub const ATLAS_CLOSED_PEER: u32 = 2;
pub const ATLAS_CLOSED_TRANSPORT: u32 = 3;
pub const ATLAS_CLOSED_IDLE: u32 = 4;
pub const ATLAS_CLOSED_REFUSED: u32 = 5;

pub type atlas_connection = u64;

#[repr(C)]
pub struct atlas_protocol_limits {
    pub struct_size: u32,
    pub max_connections: u32,
    pub max_streams: u32,
    pub max_unidirectional: u32,
    pub idle_ms: u32,
    pub handshake_ms: u32,
    pub stream_window: u64,
    pub connection_window: u64,
}

#[repr(C)]
pub struct atlas_presented {
    pub struct_size: u32,
    pub dialled: u32,
    pub connection: atlas_connection,
    pub arg: *mut c_void,
    pub remote: atlas_text,
    pub chain: *const atlas_bytes,
    pub chain_count: usize,
}

#[repr(C)]
pub struct atlas_verdict {
    pub struct_size: u32,
    pub identity_size: u32,
    pub identity: [u8; 64],
}

#[repr(C)]
pub struct atlas_connection_event {
    pub struct_size: u32,
    pub what: u32,
    pub connection: atlas_connection,
    pub arg: *mut c_void,
    pub identity: atlas_bytes,
    pub remote: atlas_text,
    pub dialled: u32,
    pub why: u32,
    pub code: u64,
    pub reason: atlas_text,
    pub stream: atlas_stream,
    pub unidirectional: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct atlas_protocol {
    pub struct_size: u32,
    pub flags: u32,
    pub alpn: atlas_text,
    pub limits: *const atlas_protocol_limits,
    pub verify: Option<
        unsafe extern "C" fn(
            this: *mut c_void,
            presented: *const atlas_presented,
            verdict: *mut atlas_verdict,
        ) -> atlas_status,
    >,
    pub event: Option<unsafe extern "C" fn(this: *mut c_void, event: *const atlas_connection_event)>,
    pub stream: Option<atlas_stream_event_fn>,
}

#[repr(C)]
pub struct atlas_ext_protocols {
    pub struct_size: u32,
    pub claim: Option<unsafe extern "C" fn(*const atlas_host, *const atlas_protocol) -> atlas_status>,
    pub credentials: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            alpn: atlas_text,
            chain: *const atlas_bytes,
            chain_count: usize,
            key: atlas_bytes,
        ) -> atlas_status,
    >,
    pub dial: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            alpn: atlas_text,
            remote: atlas_text,
            server_name: atlas_text,
            timeout_ms: u32,
            arg: *mut c_void,
            out: *mut atlas_connection,
        ) -> atlas_status,
    >,
    pub close: Option<unsafe extern "C" fn(*const atlas_host, atlas_connection, u64, atlas_text) -> atlas_status>,
    pub open: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            connection: atlas_connection,
            unidirectional: u32,
            arg: *mut c_void,
            out: *mut atlas_stream,
        ) -> atlas_status,
    >,
}
