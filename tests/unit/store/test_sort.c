/* Tests of store/sort: what it gives is compared with redis by tests/embedded; here is what can't be
 * seen from there.
 */
#include "tests/unit/store/scene.h"

KW_TEST(sort_takes_weights_and_fields_from_other_keys)
{
    struct store_scene scene;

    store_scene_open(&scene);
    store_scene_run(&scene, "RPUSH l 1 2 3");
    store_scene_run(&scene, "MSET w1 3 w2 1 w3 2");
    store_scene_run(&scene, "HSET h2 f two");

    store_scene_expect(&scene, "SORT l BY w* GET # GET h*->f", "*6 $1 2 $3 two $1 3 $-1 $1 1 $-1");
    store_scene_expect(&scene, "SORT_RO l DESC LIMIT 0 1", "*1 $1 3");
    store_scene_close(&scene);
}

KW_TEST(sort_store_tells_of_the_list_and_of_its_end)
{
    struct store_scene scene;

    store_scene_open(&scene);
    store_scene_run(&scene, "RPUSH l 1 2 3");
    store_scene_run(&scene, "HSET h1 f 1");
    store_scene_expect(&scene, "SORT l GET h*->f GET # STORE d", ":6");
    store_scene_expect(&scene, "SORT none STORE d", ":0");
    store_scene_expect_events(&scene, "rpush l, hset h1, sortstore d, del d");
    store_scene_close(&scene);
}

KW_TEST(sort_makes_a_small_sorted_set_a_large_one_as_redis_does)
{
    struct store_scene scene;

    store_scene_open(&scene);
    store_scene_run(&scene, "ZADD z 1 2 2 1");
    store_scene_expect(&scene, "OBJECT ENCODING z", "$8 listpack");
    store_scene_expect(&scene, "SORT z", "*2 $1 1 $1 2");
    store_scene_expect(&scene, "OBJECT ENCODING z", "$8 skiplist");
    store_scene_expect(&scene, "SORT z DESC", "*2 $1 2 $1 1");
    store_scene_close(&scene);
}
