/* Signs 32 bytes again and again, as a C program does it at best. Usage: sign MODULE LABEL PIN MECHANISM KEY SECONDS;
 * MECHANISM is a number, KEY a label; prints signatures a second. */
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
    if (count != 7)
        return 2;
    void *library = dlopen(words[1], RTLD_NOW);
    GET(C_Initialize, void *);
    GET(C_GetSlotList, unsigned char, word *, word *);
    GET(C_GetTokenInfo, word, void *);
    GET(C_OpenSession, word, word, void *, void *, word *);
    GET(C_Login, word, word, char *, word);
    GET(C_FindObjectsInit, word, attribute *, word);
    GET(C_FindObjects, word, word *, word, word *);
    GET(C_FindObjectsFinal, word);
    GET(C_SignInit, word, mechanism *, word);
    GET(C_Sign, word, void *, word, void *, word *);
    word slots[64], found = 64, session, slot = 0, key, private_key = 3;
    must("C_Initialize", C_Initialize(0));
    must("C_GetSlotList", C_GetSlotList(1, slots, &found));
    for (word i = 0; i < found; i++) {
        char info[256];
        must("C_GetTokenInfo", C_GetTokenInfo(slots[i], info));
        if (!strncmp(info, words[2], strlen(words[2])))
            slot = slots[i];
    }
    must("C_OpenSession", C_OpenSession(slot, 6, 0, 0, &session));
    must("C_Login", C_Login(session, 1, words[3], strlen(words[3])));
    attribute wanted[] = {{0x000, &private_key, sizeof private_key}, {0x003, words[5], strlen(words[5])}};
    must("C_FindObjectsInit", C_FindObjectsInit(session, wanted, 2));
    must("C_FindObjects", C_FindObjects(session, &key, 1, &found));
    must("C_FindObjectsFinal", C_FindObjectsFinal(session));
    mechanism how = {strtoul(words[4], 0, 0), 0, 0};
    unsigned char data[32] = {1}, signature[512];
    double began = now(), end = began + atof(words[6]), last = began;
    long done = 0;
    for (; last < end; done++, last = now()) {
        word length = sizeof signature;
        must("C_SignInit", C_SignInit(session, &how, key));
        must("C_Sign", C_Sign(session, data, sizeof data, signature, &length));
    }
    printf("%.1f\n", done / (last - began));
    return 0;
}
