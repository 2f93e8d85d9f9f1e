//! Changes of the document.

use testing::Random;

use crate::soak::site::Site;
use crate::soak::truth::Truth;

/// Another value that needs a restart: one stop, one start.
pub(in crate::soak) fn restart(site: &mut Site, random: &mut Random) -> usize {
    site.declare_restart();
    if random.chance(50) {
        site.declare_reload();
    }
    differs(site);
    site.apply().says(&["stop: ", "start: "]);
    1
}

/// Another value that needs a reload: nobody is disconnected.
pub(in crate::soak) fn reload(site: &mut Site, _: &mut Random) -> usize {
    site.declare_reload();
    differs(site);
    let before = site.bed.identity();
    site.apply().says(&["reload: "]);
    assert_eq!(site.bed.identity(), before);
    0
}

fn differs(site: &Site) {
    let truth = site.truth();
    assert!(matches!(truth, Truth::Differs(_)), "{truth:?}");
    site.agree(&truth).0.says(&["files differ: "]);
}
