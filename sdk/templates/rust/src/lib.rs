//! @id@: answers message type 0xc0 with what it was sent, as 0xc1, and counts how often.
mod atlas;

use atlas::*;
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::ptr::null;

// c0-cf are for experiments; docs/message-types.md of Atlas says how to get a byte of one's own.
const REQUEST: u8 = 0xc0;
const ANSWER: u8 = 0xc1;

struct @Class@ {
    host: *const atlas_host,
    messages: *const atlas_ext_messages,
    metrics: *const atlas_ext_metrics,
    cli: *const atlas_ext_cli,
    answered: atlas_metric,
    count: u64,
    max_bytes: i64,
}

impl @Class@ {
    // Registers and does nothing else: it also runs where somebody only wants to know what this role has.
    unsafe fn new(host: *const atlas_host) -> Result<@Class@, atlas_status> {
        let mut role = @Class@ {
            host,
            messages: table(host, ATLAS_EXT_MESSAGES),
            metrics: table(host, ATLAS_EXT_METRICS),
            cli: table(host, ATLAS_EXT_CLI),
            answered: 0,
            count: 0,
            max_bytes: 0,
        };
        let config: *const atlas_ext_config = table(host, ATLAS_EXT_CONFIG);
        let (key, doc) = (c("max_bytes\0"), c("Size of the largest request that is answered.\0"));
        ok(atlas_call!(config, atlas_ext_config, integer, host, key, 65536, 1, 4194304, doc, &mut role.max_bytes))?;
        let (name, help) = (c("answered\0"), c("Requests answered.\0"));
        let out = &mut role.answered;
        ok(atlas_call!(role.metrics, atlas_ext_metrics, define, host, name, ATLAS_METRIC_COUNTER, help, out))?;
        let handler = Some(on_request as atlas_message_fn);
        ok(atlas_call!(role.messages, atlas_ext_messages, handle, host, REQUEST, ATLAS_HANDLE_ANSWERS, handler))?;
        let command = atlas_cli_command {
            struct_size: size_of::<atlas_cli_command>() as u32,
            path: c("@command@\0"),
            where_: ATLAS_CLI_DAEMON,
            summary: c("Shows how many requests were answered.\0"),
            args: null(),
            arg_count: 0,
            display: null(),
        };
        let run = Some(on_command as atlas_run_fn);
        ok(atlas_call!(role.cli, atlas_ext_cli, command, host, &command, run, None))?;
        Ok(role)
    }

    unsafe fn answer(&mut self, message: &atlas_message) -> atlas_status {
        if message.body.size > self.max_bytes as usize {
            let why = text("larger than max_bytes");
            let code = ATLAS_ERROR_REJECTED;
            return atlas_call!(self.messages, atlas_ext_messages, fail, self.host, message.reply_to, code, why);
        }
        self.count += 1;
        if let Some(add) = (*self.metrics).add {
            add(self.host, self.answered, 1);
        }
        atlas_call!(self.messages, atlas_ext_messages, reply, self.host, message.reply_to, ANSWER, message.body)
    }

    // `atlas net @command@`
    unsafe fn show(&mut self, call: atlas_call) -> atlas_status {
        let json = format!("{{\"answered\":{}}}", self.count);
        let status = atlas_call!(self.cli, atlas_ext_cli, emit, self.host, call, ATLAS_EMIT_RESULT, text(&json));
        if status < 0 {
            return status;
        }
        atlas_call!(self.cli, atlas_ext_cli, finish, self.host, call, ATLAS_OK, text(""))
    }
}

fn c(text: &'static str) -> *const c_char {
    text.as_ptr() as *const c_char
}

fn ok(status: atlas_status) -> Result<(), atlas_status> {
    if status < 0 { Err(status) } else { Ok(()) }
}

// What the host calls. Its callbacks never overlap, so each has the role to itself.

unsafe extern "C" fn init(host: *const atlas_host, out: *mut *mut c_void) -> atlas_status {
    guarded(|| match @Class@::new(host) {
        Ok(role) => {
            *out = Box::into_raw(Box::new(role)) as *mut c_void;
            ATLAS_OK
        }
        Err(status) => status,
    })
}

unsafe extern "C" fn stop(this: *mut c_void) {
    guarded(|| {
        drop(Box::from_raw(this as *mut @Class@));
        ATLAS_OK
    });
}

unsafe extern "C" fn on_request(this: *mut c_void, message: *const atlas_message) -> atlas_status {
    guarded(|| (*(this as *mut @Class@)).answer(&*message))
}

unsafe extern "C" fn on_command(this: *mut c_void, run: *const atlas_cli_run) -> atlas_status {
    guarded(|| (*(this as *mut @Class@)).show((*run).call))
}

struct Needs([*const c_char; 5]);
// Constant data.
unsafe impl Sync for Needs {}
static NEEDS: Needs = Needs([
    ATLAS_EXT_CLI.as_ptr() as *const c_char,
    ATLAS_EXT_CONFIG.as_ptr() as *const c_char,
    ATLAS_EXT_MESSAGES.as_ptr() as *const c_char,
    ATLAS_EXT_METRICS.as_ptr() as *const c_char,
    null(),
]);

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static atlas_plugin_v1: atlas_plugin = atlas_plugin {
    struct_size: size_of::<atlas_plugin>() as u32,
    abi_major: ATLAS_ABI_MAJOR,
    abi_minor_min: 0,
    id: "@id@\0".as_ptr() as *const c_char,
    version: "0.1.0\0".as_ptr() as *const c_char,
    summary: "Answers what it is sent.\0".as_ptr() as *const c_char,
    needs: NEEDS.0.as_ptr(),
    init: Some(init),
    start: None,
    drain: None,
    stop: Some(stop),
    peer_event: None,
};
