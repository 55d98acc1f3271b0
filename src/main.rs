//! The freestanding program: the runtime and nothing else (work in progress).

#![no_std]
#![no_main]

annulet::entry_point!(main);

extern "C" fn main() -> ! {
    core::hint::spin_loop();
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::hint::spin_loop();
    loop {
        core::hint::spin_loop();
    }
}
