#!/bin/bash
# For dracut (Fedora, RHEL and others): annulet as cp and cat in every image. As root:
#   install target/release/annulet /usr/local/bin/
#   install -D scripts/dracut-module.sh /usr/lib/dracut/modules.d/90annulet/module-setup.sh
#   dracut --force
check() { require_binaries /usr/local/bin/annulet; }
install() {
    inst_simple /usr/local/bin/annulet /usr/bin/annulet &&
        ln -sf annulet "${initdir:?}/usr/bin/cp" &&
        ln -sf annulet "${initdir:?}/usr/bin/cat"
}
