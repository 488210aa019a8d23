/* Reads every object of SoftHSM tokens as hsmctl's agent does: one search, then one C_GetAttributeValue of the same
 * attributes for each object. Usage: read MODULE LABEL PIN CONFIGURATION..., tokens one after the other; prints the
 * objects read. With LEAST in the environment it asks for class, id and label alone, and with NONE for nothing: what
 * SoftHSM takes to open the token and to find its objects. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long word;
typedef struct { word type; void *value; word length; } attribute;

enum { ROOM = 1024, PAGE = 1000 };
static const word ATTRIBUTES[] = {
    0x000, 0x102, 0x003, /* the least */
    0x001, 0x002, 0x103, 0x165, 0x162, 0x164, 0x163, 0x170, 0x172, 0x171, 0x104, 0x105, 0x108, 0x10A, 0x106, 0x107,
    0x10C, 0x210, 0x086, 0x202, 0x180, 0x181, 0x120, 0x122, 0x090, 0x100, 0x161};
enum { COUNT = sizeof ATTRIBUTES / sizeof *ATTRIBUTES, LEAST = 3 };

static void *library;

static word call(const char *name, word a, void *b, word c, void *d, void *e)
{
    word (*function)(word, void *, word, void *, void *) = (word (*)(word, void *, word, void *, void *))dlsym(library, name);
    return function(a, b, c, d, e);
}

static void must(const char *name, word result)
{
    if (result) {
        fprintf(stderr, "%s: 0x%lx\n", name, result);
        exit(1);
    }
}

static word slot_of(const char *label)
{
    word slots[64], count = 64;
    must("C_GetSlotList", call("C_GetSlotList", 1, slots, (word)&count, 0, 0));
    for (word i = 0; i < count; i++) {
        char info[256];
        must("C_GetTokenInfo", call("C_GetTokenInfo", slots[i], info, 0, 0, 0));
        if (!strncmp(info, label, strlen(label)))
            return slots[i];
    }
    exit(2);
}

static word read_all(word session)
{
    static char buffer[COUNT][ROOM];
    static word handles[100000];
    unsigned char yes = 1;
    attribute template[COUNT], wanted = {0x001, &yes, 1};
    word total = 0, found = 0, asked = getenv("NONE") ? 0 : getenv("LEAST") ? LEAST : COUNT;
    must("C_FindObjectsInit", call("C_FindObjectsInit", session, &wanted, 1, 0, 0));
    do {
        must("C_FindObjects", call("C_FindObjects", session, handles + total, PAGE, &found, 0));
        total += found;
    } while (found);
    must("C_FindObjectsFinal", call("C_FindObjectsFinal", session, 0, 0, 0, 0));
    word (*get)(word, word, attribute *, word) = (word (*)(word, word, attribute *, word))dlsym(library, "C_GetAttributeValue");
    for (word i = 0; asked && i < total; i++) {
        for (word k = 0; k < asked; k++)
            template[k] = (attribute){ATTRIBUTES[k], buffer[k], ROOM};
        get(session, handles[i], template, asked);
    }
    return total;
}

int main(int count, char **words)
{
    word objects = 0;
    library = dlopen(words[1], RTLD_NOW);
    if (!library)
        return 3;
    for (int i = 4; i < count; i++) {
        word session, locking[6] = {0, 0, 0, 0, 2, 0};
        setenv("SOFTHSM2_CONF", words[i], 1);
        must("C_Initialize", call("C_Initialize", (word)locking, 0, 0, 0, 0));
        must("C_OpenSession", call("C_OpenSession", slot_of(words[2]), (void *)6, 0, 0, &session));
        must("C_Login", call("C_Login", session, (void *)1, (word)words[3], (void *)strlen(words[3]), 0));
        objects += read_all(session);
        must("C_Finalize", call("C_Finalize", 0, 0, 0, 0, 0));
    }
    printf("%lu\n", objects);
    return 0;
}
