//! The plugin ABI of Atlas 1.0, field for field as in atlas/plugin.h and atlas/ext/*.h, which say what each function
//! takes, gives and refuses. Rust 1.63, std only. A test of Atlas compares the layout with that of the C headers.
#![allow(non_camel_case_types, dead_code)]

use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};

pub const ATLAS_ABI_MAJOR: u16 = 1;

pub type atlas_status = i32;
pub const ATLAS_OK: atlas_status = 0;
pub const ATLAS_E_ARG: atlas_status = -1;
pub const ATLAS_E_STATE: atlas_status = -2;
pub const ATLAS_E_CONFLICT: atlas_status = -3;
pub const ATLAS_E_GONE: atlas_status = -4;
pub const ATLAS_E_TIMEOUT: atlas_status = -5;
pub const ATLAS_E_FULL: atlas_status = -6;
pub const ATLAS_E_DENIED: atlas_status = -7;
pub const ATLAS_E_CONFIG: atlas_status = -8;
pub const ATLAS_E_STOPPING: atlas_status = -9;
pub const ATLAS_E_INTERNAL: atlas_status = -10;
pub const ATLAS_E_UNREACHABLE: atlas_status = -11;

pub type atlas_peer = u64;
pub type atlas_request = u64;
pub type atlas_reply_to = u64;
pub type atlas_timer = u64;
pub type atlas_metric = u64;
pub type atlas_call = u64;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct atlas_bytes {
    pub data: *const u8,
    pub size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct atlas_text {
    pub data: *const c_char,
    pub size: usize,
}

#[repr(C)]
pub struct atlas_sink {
    pub struct_size: u32,
    pub ctx: *mut c_void,
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, chunk: atlas_bytes) -> atlas_status>,
}

pub const ATLAS_MODE_DAEMON: u32 = 1;
pub const ATLAS_MODE_CLIENT: u32 = 2;
pub const ATLAS_MODE_DESCRIBE: u32 = 3;

#[repr(C)]
pub struct atlas_host {
    pub struct_size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub mode: u32,
    pub version: *const c_char,
    pub extension: Option<unsafe extern "C" fn(host: *const atlas_host, id: *const c_char) -> *const c_void>,
    pub post: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            run: Option<unsafe extern "C" fn(arg: *mut c_void)>,
            arg: *mut c_void,
        ) -> atlas_status,
    >,
    pub last_error: Option<unsafe extern "C" fn(host: *const atlas_host, buf: *mut c_char, cap: usize) -> usize>,
    pub now_ms: Option<unsafe extern "C" fn(host: *const atlas_host) -> u64>,
    pub unix_ms: Option<unsafe extern "C" fn(host: *const atlas_host) -> i64>,
    pub random: Option<unsafe extern "C" fn(host: *const atlas_host, out: *mut u8, size: usize)>,
}

pub const ATLAS_PEER_UP: u32 = 1;
pub const ATLAS_PEER_DOWN: u32 = 2;
pub const ATLAS_PEER_PATH: u32 = 3;

#[repr(C)]
pub struct atlas_peer_event {
    pub struct_size: u32,
    pub what: u32,
    pub peer: atlas_peer,
    pub node_id: atlas_text,
    pub reason: u32,
    pub dialled: u32,
}

#[repr(C)]
pub struct atlas_plugin {
    pub struct_size: u32,
    pub abi_major: u16,
    pub abi_minor_min: u16,
    pub id: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub needs: *const *const c_char,
    pub init: Option<unsafe extern "C" fn(host: *const atlas_host, out: *mut *mut c_void) -> atlas_status>,
    pub start: Option<unsafe extern "C" fn(this: *mut c_void) -> atlas_status>,
    pub drain: Option<unsafe extern "C" fn(this: *mut c_void, deadline_ms: u32)>,
    pub stop: Option<unsafe extern "C" fn(this: *mut c_void)>,
    pub peer_event: Option<unsafe extern "C" fn(this: *mut c_void, event: *const atlas_peer_event)>,
}
// Constant data that points to constant data only.
unsafe impl Sync for atlas_plugin {}

// --- atlas.messages/1 ---

pub const ATLAS_EXT_MESSAGES: &str = "atlas.messages/1\0";
pub const ATLAS_HANDLE_ANSWERS: u32 = 1;
pub const ATLAS_ERROR_REJECTED: u32 = 2003;
pub const ATLAS_ERROR_INTERNAL: u32 = 5001;

#[repr(C)]
pub struct atlas_message {
    pub struct_size: u32,
    pub type_: u8,
    pub reserved: [u8; 3],
    pub from: atlas_peer,
    pub reply_to: atlas_reply_to,
    pub body: atlas_bytes,
}

#[repr(C)]
pub struct atlas_answer {
    pub struct_size: u32,
    pub status: atlas_status,
    pub type_: u8,
    pub reserved: [u8; 3],
    pub error_code: u32,
    pub error_text: atlas_text,
    pub body: atlas_bytes,
    pub rtt_us: u64,
}

pub type atlas_message_fn = unsafe extern "C" fn(this: *mut c_void, message: *const atlas_message) -> atlas_status;
pub type atlas_answer_fn = unsafe extern "C" fn(arg: *mut c_void, answer: *const atlas_answer);

#[repr(C)]
pub struct atlas_ext_messages {
    pub struct_size: u32,
    pub handle: Option<unsafe extern "C" fn(*const atlas_host, u8, u32, Option<atlas_message_fn>) -> atlas_status>,
    pub send: Option<unsafe extern "C" fn(*const atlas_host, atlas_peer, u8, atlas_bytes) -> atlas_status>,
    pub request: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            to: atlas_peer,
            type_: u8,
            body: atlas_bytes,
            timeout_ms: u32,
            done: Option<atlas_answer_fn>,
            arg: *mut c_void,
            out: *mut atlas_request,
        ) -> atlas_status,
    >,
    pub cancel: Option<unsafe extern "C" fn(*const atlas_host, atlas_request) -> atlas_status>,
    pub reply: Option<unsafe extern "C" fn(*const atlas_host, atlas_reply_to, u8, atlas_bytes) -> atlas_status>,
    pub fail: Option<unsafe extern "C" fn(*const atlas_host, atlas_reply_to, u32, atlas_text) -> atlas_status>,
}

// --- atlas.timers/1 ---

pub const ATLAS_EXT_TIMERS: &str = "atlas.timers/1\0";

#[repr(C)]
pub struct atlas_ext_timers {
    pub struct_size: u32,
    pub start: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            delay_ms: u64,
            period_ms: u64,
            run: Option<unsafe extern "C" fn(arg: *mut c_void)>,
            arg: *mut c_void,
            out: *mut atlas_timer,
        ) -> atlas_status,
    >,
    pub cancel: Option<unsafe extern "C" fn(*const atlas_host, atlas_timer) -> atlas_status>,
}

// --- atlas.config/1 ---

pub const ATLAS_EXT_CONFIG: &str = "atlas.config/1\0";

pub type atlas_each_text_fn = unsafe extern "C" fn(arg: *mut c_void, value: atlas_text);

#[repr(C)]
pub struct atlas_ext_config {
    pub struct_size: u32,
    pub boolean: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: *const c_char,
            fallback: u32,
            doc: *const c_char,
            out: *mut u32,
        ) -> atlas_status,
    >,
    pub integer: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: *const c_char,
            fallback: i64,
            min: i64,
            max: i64,
            doc: *const c_char,
            out: *mut i64,
        ) -> atlas_status,
    >,
    pub millis: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: *const c_char,
            fallback: u64,
            min: u64,
            max: u64,
            doc: *const c_char,
            out: *mut u64,
        ) -> atlas_status,
    >,
    pub text: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: *const c_char,
            fallback: atlas_text,
            doc: *const c_char,
            out: *mut atlas_text,
        ) -> atlas_status,
    >,
    pub texts: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: *const c_char,
            doc: *const c_char,
            arg: *mut c_void,
            each: Option<atlas_each_text_fn>,
        ) -> atlas_status,
    >,
    pub reject: Option<unsafe extern "C" fn(host: *const atlas_host, key: *const c_char, why: atlas_text)>,
    pub node_key: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: *const c_char,
            arg: *mut c_void,
            each: Option<atlas_each_text_fn>,
        ) -> atlas_status,
    >,
}

// --- atlas.peers/1 ---

pub const ATLAS_EXT_PEERS: &str = "atlas.peers/1\0";
pub const ATLAS_TRUST_UNKNOWN: u32 = 0;
pub const ATLAS_TRUST_VERIFIED: u32 = 1;
pub const ATLAS_TRUST_BOOTSTRAP: u32 = 2;
pub const ATLAS_TRUST_RELAY: u32 = 3;
pub const ATLAS_DISCONNECT_SHUTDOWN: u32 = 0;
pub const ATLAS_DISCONNECT_IDLE: u32 = 1;
pub const ATLAS_DISCONNECT_OVERLOAD: u32 = 5;
pub const ATLAS_PEERS_LIVE: u32 = 1;
pub const ATLAS_PEERS_KNOWN: u32 = 2;

#[repr(C)]
pub struct atlas_peer_info {
    pub struct_size: u32,
    pub peer: atlas_peer,
    pub node_id: atlas_text,
    pub address: atlas_text,
    pub public_address: atlas_text,
    pub name: atlas_text,
    pub skills: *const atlas_text,
    pub skill_count: usize,
    pub operator_username: atlas_text,
    pub relays: *const atlas_text,
    pub relay_count: usize,
    pub trust: u32,
    pub dialled: u32,
    pub last_seen: i64,
    pub connected_at: i64,
    pub rtt_us: u64,
}

#[repr(C)]
pub struct atlas_connected {
    pub struct_size: u32,
    pub status: atlas_status,
    pub peer: atlas_peer,
    pub node_id: atlas_text,
    pub error: atlas_text,
    pub existing: u32,
}

pub type atlas_connected_fn = unsafe extern "C" fn(arg: *mut c_void, result: *const atlas_connected);
pub type atlas_each_peer_fn = unsafe extern "C" fn(arg: *mut c_void, info: *const atlas_peer_info);

#[repr(C)]
pub struct atlas_ext_peers {
    pub struct_size: u32,
    pub self_: Option<unsafe extern "C" fn(*const atlas_host, *mut c_void, Option<atlas_each_peer_fn>) -> atlas_status>,
    pub info: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            peer: atlas_peer,
            arg: *mut c_void,
            each: Option<atlas_each_peer_fn>,
        ) -> atlas_status,
    >,
    pub find: Option<unsafe extern "C" fn(*const atlas_host, atlas_text, *mut atlas_peer) -> atlas_status>,
    pub list: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            which: u32,
            arg: *mut c_void,
            each: Option<unsafe extern "C" fn(arg: *mut c_void, info: *const atlas_peer_info) -> atlas_status>,
        ) -> atlas_status,
    >,
    pub connect: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            target: atlas_text,
            timeout_ms: u32,
            done: Option<atlas_connected_fn>,
            arg: *mut c_void,
        ) -> atlas_status,
    >,
    pub disconnect: Option<unsafe extern "C" fn(*const atlas_host, atlas_peer, u32, atlas_text) -> atlas_status>,
    pub upsert: Option<unsafe extern "C" fn(*const atlas_host, *const atlas_peer_info) -> atlas_status>,
}

// --- atlas.store/1 ---

pub const ATLAS_EXT_STORE: &str = "atlas.store/1\0";

pub type atlas_durable_fn = unsafe extern "C" fn(arg: *mut c_void, status: atlas_status);

#[repr(C)]
pub struct atlas_ext_store {
    pub struct_size: u32,
    pub get: Option<unsafe extern "C" fn(*const atlas_host, atlas_bytes, *const atlas_sink) -> atlas_status>,
    pub put: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: atlas_bytes,
            value: atlas_bytes,
            durable: Option<atlas_durable_fn>,
            arg: *mut c_void,
        ) -> atlas_status,
    >,
    pub remove: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            key: atlas_bytes,
            durable: Option<atlas_durable_fn>,
            arg: *mut c_void,
        ) -> atlas_status,
    >,
    pub scan: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            prefix: atlas_bytes,
            after: atlas_bytes,
            arg: *mut c_void,
            row: Option<unsafe extern "C" fn(arg: *mut c_void, key: atlas_bytes, value: atlas_bytes) -> atlas_status>,
        ) -> atlas_status,
    >,
}

// --- atlas.metrics/1 ---

pub const ATLAS_EXT_METRICS: &str = "atlas.metrics/1\0";
pub const ATLAS_METRIC_COUNTER: u32 = 1;
pub const ATLAS_METRIC_GAUGE: u32 = 2;

#[repr(C)]
pub struct atlas_ext_metrics {
    pub struct_size: u32,
    pub define: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            name: *const c_char,
            kind: u32,
            help: *const c_char,
            out: *mut atlas_metric,
        ) -> atlas_status,
    >,
    pub add: Option<unsafe extern "C" fn(host: *const atlas_host, metric: atlas_metric, delta: i64)>,
    pub set: Option<unsafe extern "C" fn(host: *const atlas_host, metric: atlas_metric, value: i64)>,
}

// --- atlas.log/1 ---

pub const ATLAS_EXT_LOG: &str = "atlas.log/1\0";
pub const ATLAS_LOG_DEBUG: u32 = 1;
pub const ATLAS_LOG_INFO: u32 = 2;
pub const ATLAS_LOG_WARN: u32 = 3;
pub const ATLAS_LOG_ERROR: u32 = 4;

#[repr(C)]
pub struct atlas_ext_log {
    pub struct_size: u32,
    pub write: Option<unsafe extern "C" fn(host: *const atlas_host, level: u32, line: atlas_text)>,
}

// --- atlas.cli/1 ---

pub const ATLAS_EXT_CLI: &str = "atlas.cli/1\0";
pub const ATLAS_CLI_DAEMON: u32 = 1;
pub const ATLAS_CLI_CLIENT: u32 = 2;
pub const ATLAS_EMIT_RESULT: u32 = 1;
pub const ATLAS_EMIT_ROW: u32 = 2;
pub const ATLAS_EMIT_PROGRESS: u32 = 3;
pub const ATLAS_ARG_TEXT: u32 = 1;
pub const ATLAS_ARG_INTEGER: u32 = 2;
pub const ATLAS_ARG_FLAG: u32 = 3;
pub const ATLAS_ARG_REST: u32 = 4;

#[repr(C)]
pub struct atlas_cli_arg {
    pub struct_size: u32,
    pub name: *const c_char,
    pub kind: u32,
    pub required: u32,
    pub help: *const c_char,
}

#[repr(C)]
pub struct atlas_cli_command {
    pub struct_size: u32,
    pub path: *const c_char,
    pub where_: u32,
    pub summary: *const c_char,
    pub args: *const atlas_cli_arg,
    pub arg_count: usize,
    pub display: *const c_char,
}

#[repr(C)]
pub struct atlas_cli_run {
    pub struct_size: u32,
    pub call: atlas_call,
    pub names: *const atlas_text,
    pub values: *const atlas_text,
    pub count: usize,
}

pub type atlas_run_fn = unsafe extern "C" fn(this: *mut c_void, run: *const atlas_cli_run) -> atlas_status;

#[repr(C)]
pub struct atlas_ext_cli {
    pub struct_size: u32,
    pub command: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            command: *const atlas_cli_command,
            run: Option<atlas_run_fn>,
            cancelled: Option<unsafe extern "C" fn(this: *mut c_void, call: atlas_call)>,
        ) -> atlas_status,
    >,
    pub emit: Option<unsafe extern "C" fn(*const atlas_host, atlas_call, u32, atlas_text) -> atlas_status>,
    pub finish: Option<unsafe extern "C" fn(*const atlas_host, atlas_call, atlas_status, atlas_text) -> atlas_status>,
}

// --- atlas.routes/1 ---

pub const ATLAS_EXT_ROUTES: &str = "atlas.routes/1\0";
pub const ATLAS_ROUTE_REMOVED: u32 = 1;
pub const ATLAS_ROUTE_IDLE: u32 = 2;
pub const ATLAS_ROUTE_BUDGET: u32 = 3;
pub const ATLAS_ROUTE_PEER_GONE: u32 = 4;

pub type atlas_route = u64;
pub type atlas_reach = u64;

#[repr(C)]
pub struct atlas_route_options {
    pub struct_size: u32,
    pub idle_ms: u32,
    pub bytes_per_second: u64,
    pub byte_budget: u64,
}

#[repr(C)]
pub struct atlas_route_prefixes {
    pub to_a: [u8; 8],
    pub to_b: [u8; 8],
}

#[repr(C)]
pub struct atlas_route_counters {
    pub struct_size: u32,
    pub reserved: u32,
    pub datagrams_to_a: u64,
    pub bytes_to_a: u64,
    pub datagrams_to_b: u64,
    pub bytes_to_b: u64,
    pub dropped_rate: u64,
    pub dropped_source: u64,
    pub dropped_queue: u64,
    pub dropped_share: u64,
}

pub type atlas_route_ended_fn =
    unsafe extern "C" fn(arg: *mut c_void, route: atlas_route, why: u32, last: *const atlas_route_counters);

#[repr(C)]
pub struct atlas_path {
    pub struct_size: u32,
    pub reserved: u32,
    pub via: atlas_peer,
    pub route: [u8; 8],
    pub peer_route: [u8; 8],
    pub node_id: atlas_text,
    pub observed: *const atlas_text,
    pub observed_count: usize,
    pub expires: i64,
}

#[repr(C)]
pub struct atlas_path_request {
    pub struct_size: u32,
    pub reserved: u32,
    pub reach: atlas_reach,
    pub node_id: atlas_text,
    pub relay: atlas_text,
}

#[repr(C)]
pub struct atlas_ext_routes {
    pub struct_size: u32,
    pub add: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            a: atlas_peer,
            b: atlas_peer,
            options: *const atlas_route_options,
            ended: Option<atlas_route_ended_fn>,
            arg: *mut c_void,
            out: *mut atlas_route,
            prefixes: *mut atlas_route_prefixes,
        ) -> atlas_status,
    >,
    pub remove: Option<unsafe extern "C" fn(*const atlas_host, atlas_route) -> atlas_status>,
    pub counters:
        Option<unsafe extern "C" fn(*const atlas_host, atlas_route, *mut atlas_route_counters) -> atlas_status>,
    pub provide: Option<
        unsafe extern "C" fn(
            host: *const atlas_host,
            wanted: Option<unsafe extern "C" fn(this: *mut c_void, request: *const atlas_path_request)>,
        ) -> atlas_status,
    >,
    pub found: Option<unsafe extern "C" fn(*const atlas_host, atlas_reach, *const atlas_path) -> atlas_status>,
    pub not_found:
        Option<unsafe extern "C" fn(*const atlas_host, atlas_reach, atlas_status, atlas_text) -> atlas_status>,
    pub expect: Option<unsafe extern "C" fn(*const atlas_host, *const atlas_path) -> atlas_status>,
}

// --- for roles in Rust ---

/// True when the struct behind `$p` is long enough to hold its field `$f`.
#[macro_export]
macro_rules! atlas_has {
    ($p:expr, $t:ty, $f:ident) => {{
        let p: *const $t = $p;
        let end = std::ptr::addr_of!((*p).$f).add(1) as usize - p as usize;
        !p.is_null() && (*p).struct_size as usize >= end
    }};
}

/// Calls a function of a table; ATLAS_E_STATE where the host does not have it.
#[macro_export]
macro_rules! atlas_call {
    ($table:expr, $t:ty, $f:ident, $($arg:expr),*) => {
        if $crate::atlas_has!($table, $t, $f) {
            match (*$table).$f { Some(f) => f($($arg),*), None => $crate::atlas::ATLAS_E_STATE }
        } else {
            $crate::atlas::ATLAS_E_STATE
        }
    };
}

pub fn text(words: &str) -> atlas_text {
    atlas_text { data: words.as_ptr() as *const c_char, size: words.len() }
}

pub fn bytes(data: &[u8]) -> atlas_bytes {
    atlas_bytes { data: data.as_ptr(), size: data.len() }
}

impl atlas_bytes {
    /// # Safety
    /// Only while the call that brought it has not returned.
    pub unsafe fn as_slice<'a>(&self) -> &'a [u8] {
        if self.size == 0 { &[] } else { std::slice::from_raw_parts(self.data, self.size) }
    }
}

impl atlas_text {
    /// # Safety
    /// Only while the call that brought it has not returned.
    pub unsafe fn as_str<'a>(&self) -> &'a str {
        let bytes = if self.size == 0 { &[] } else { std::slice::from_raw_parts(self.data as *const u8, self.size) };
        std::str::from_utf8(bytes).unwrap_or("")
    }
}

/// The table for an id such as ATLAS_EXT_MESSAGES; null where this host has none.
///
/// # Safety
/// `host` is the one that init() was given.
pub unsafe fn table<T>(host: *const atlas_host, id: &str) -> *const T {
    match (*host).extension {
        Some(extension) if id.ends_with('\0') => extension(host, id.as_ptr() as *const c_char) as *const T,
        _ => std::ptr::null(),
    }
}

/// Runs one entry of a role: a panic ends here, for it must not unwind into C.
pub fn guarded(run: impl FnOnce() -> atlas_status) -> atlas_status {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(ATLAS_E_INTERNAL)
}
