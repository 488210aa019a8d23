/* Signs 32 bytes again and again with a session key, as a C program does it at best. Usage: sign MODULE LABEL PIN KIND
 * SECONDS; KIND is rsa (2048 bits) or ec (P-256). For each line it reads it prints the signatures a second of one turn. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long word;
typedef struct { word type; void *value; word length; } attribute;
typedef struct { word mechanism; void *parameter; word length; } mechanism;

static void must(const char *name, word result)
{
    if (result) {
        fprintf(stderr, "%s: 0x%lx\n", name, result);
        exit(1);
    }
}

static double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return moment.tv_sec + moment.tv_nsec / 1e9;
}

#define GET(name, ...) word (*name)(__VA_ARGS__) = (word (*)(__VA_ARGS__))dlsym(library, #name)

int main(int count, char **words)
{
    if (count != 6)
        return 2;
    void *library = dlopen(words[1], RTLD_NOW);
    GET(C_Initialize, void *);
    GET(C_GetSlotList, unsigned char, word *, word *);
    GET(C_GetTokenInfo, word, void *);
    GET(C_OpenSession, word, word, void *, void *, word *);
    GET(C_Login, word, word, char *, word);
    GET(C_GenerateKeyPair, word, mechanism *, attribute *, word, attribute *, word, word *, word *);
    GET(C_SignInit, word, mechanism *, word);
    GET(C_Sign, word, void *, word, void *, word *);
    word locking[6] = {0, 0, 0, 0, 2, 0}; /* CKF_OS_LOCKING_OK, as hsmctl's agent does */
    word slots[64], found = 64, session, slot = 0, public, key, bits = 2048;
    must("C_Initialize", C_Initialize(locking));
    must("C_GetSlotList", C_GetSlotList(1, slots, &found));
    for (word i = 0; i < found; i++) {
        char info[256];
        must("C_GetTokenInfo", C_GetTokenInfo(slots[i], info));
        if (!strncmp(info, words[2], strlen(words[2])))
            slot = slots[i];
    }
    must("C_OpenSession", C_OpenSession(slot, 6, 0, 0, &session));
    must("C_Login", C_Login(session, 1, words[3], strlen(words[3])));
    int rsa = !strcmp(words[4], "rsa");
    unsigned char yes = 1, no = 0, exponent[] = {1, 0, 1}, curve[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    attribute pair[] = {{0x001, &no, 1}, {0x10a, &yes, 1}, {0x180, curve, sizeof curve}, {0x122, exponent, 3}};
    if (rsa)
        pair[2] = (attribute){0x121, &bits, sizeof bits};
    attribute private[] = {{0x001, &no, 1}, {0x002, &yes, 1}, {0x103, &yes, 1}, {0x162, &no, 1}, {0x108, &yes, 1}};
    mechanism make = {rsa ? 0 : 0x1040, 0, 0}, how = {rsa ? 1 : 0x1041, 0, 0};
    must("C_GenerateKeyPair", C_GenerateKeyPair(session, &make, pair, rsa ? 4 : 3, private, 5, &public, &key));
    unsigned char data[32] = {1}, signature[512];
    while (getchar() != EOF) {
        double began = now(), end = began + atof(words[5]), last = began;
        long done = 0;
        for (; last < end; done++, last = now()) {
            word length = sizeof signature;
            must("C_SignInit", C_SignInit(session, &how, key));
            must("C_Sign", C_Sign(session, data, sizeof data, signature, &length));
        }
        printf("%.1f\n", done / (last - began));
        fflush(stdout);
    }
    return 0;
}
