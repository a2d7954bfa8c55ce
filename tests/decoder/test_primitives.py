"""Tests the cryptography with vectors of RFC 7748, RFC 8439 and draft-irtf-cfrg-xchacha-03."""

import primitives as p

X = bytes.fromhex

KEY = bytes(range(0x80, 0xa0))
HEADER = X("50515253c0c1c2c3c4c5c6c7")
SUNSCREEN = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
             b"sunscreen would be it.")
ITERATIONS = 1000


def run(check):
    def same(name, got, *expected):
        check(got == X("".join(expected)), "%s: %s" % (name, got.hex()))

    # RFC 7748, section 5.2
    same("X25519, first", p.x25519(X("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                                   X("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")),
         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    k, u = p.x25519(p.BASE, p.BASE), p.BASE
    same("X25519, one iteration", k, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
    for _ in range(ITERATIONS - 1):
        k, u = p.x25519(k, u), k
    same("X25519, 1000 iterations", k, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
    check(p.x25519(KEY, bytes(32)) == bytes(32), "X25519 of a point of low order is all zero")

    # RFC 8439, sections 2.3.2, 2.5.2, 2.8.2 and A.3
    same("ChaCha20", p.key_stream(bytes(range(32)), 1, X("000000090000004a00000000"), 1),
         "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e",
         "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e")
    blocks = p.key_stream(KEY, 0, bytes(12), 20)
    check(all(blocks[64 * n:][:64] == p.key_stream(KEY, n, bytes(12), 1) for n in range(20)), "ChaCha20, many blocks")
    same("Poly1305", p.poly1305(X("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b"),
                                b"Cryptographic Forum Research Group"), "a8061dc1305136c6c22b8baf0c0127a9")
    same("Poly1305, beyond the prime", p.poly1305(b"\2" + bytes(31), b"\xff" * 16), "03" + "00" * 15)
    sealed = p.seal_with(KEY, X("070000004041424344454647"), HEADER, SUNSCREEN)
    same("AEAD", sealed,
         "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
         "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
         "3ff4def08e4b7a9de576d26586cec64b6116", "1ae10b594f09e26a7e902ecbd0600691")

    # draft-irtf-cfrg-xchacha-03, sections 2.2.1 and A.3.1
    same("HChaCha20", p.hchacha20(bytes(range(32)), X("000000090000004a0000000031415927")),
         "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc")
    nonce = bytes(range(0x40, 0x58))
    sealed_x = p.seal_x(KEY, nonce, HEADER, SUNSCREEN)
    same("AEAD with a long nonce", sealed_x,
         "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
         "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
         "21f9664c97637da9768812f615c68b13b52e", "c0875924c1c7987947deafd8780acf49")
    check(p.open_x(KEY, nonce, HEADER, sealed_x) == SUNSCREEN, "a long nonce opens")

    # Whatever is not what was sealed does not open.
    body = bytes(range(40))
    sealed = p.seal(KEY, 1 << 40, HEADER, body)
    check(p.open_sealed(KEY, 1 << 40, HEADER, sealed) == body, "what was sealed opens")
    check(p.open_sealed(KEY, 1 << 40, HEADER[:-1], sealed) is None, "another header opens nothing")
    check(p.open_sealed(KEY, 0, HEADER, sealed) is None, "another number opens nothing")
    check(p.open_sealed(KEY[::-1], 1 << 40, HEADER, sealed) is None, "another key opens nothing")
    for bit in range(8 * len(sealed)):
        other = bytearray(sealed)
        other[bit >> 3] ^= 1 << (bit & 7)
        check(p.open_sealed(KEY, 1 << 40, HEADER, bytes(other)) is None, "bit %d turned opens nothing" % bit)
    check(p.seal(KEY, 0, HEADER, b"")[:-16] == b"" and p.open_sealed(KEY, 0, b"", p.seal(KEY, 0, b"", b"")) == b"",
          "nothing can be sealed")
