#![no_main]

use fireassay_fuzz::{Protocol, follow};

libfuzzer_sys::fuzz_target!(|recording: &[u8]| follow(Protocol::Http, recording));
