# Language level, warnings, sanitizers, instruction set and ccache for everything below.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CLMNET_CCACHE ccache)
if(CLMNET_CCACHE)
  # A precompiled header carries a time stamp; ccache is told to look through it.
  set(ccache_launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CLMNET_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${ccache_launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache_launcher})
endif()

if(CLMNET_ARCH STREQUAL "auto")
  set(clmnet_arch "")
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND EXISTS "/proc/cpuinfo")
    file(STRINGS "/proc/cpuinfo" cpu_flags REGEX "^flags" LIMIT_COUNT 1)
    if(cpu_flags MATCHES " avx2 " AND cpu_flags MATCHES " fma " AND cpu_flags MATCHES " bmi2 ")
      set(clmnet_arch "x86-64-v3")
    endif()
  endif()
else()
  set(clmnet_arch "${CLMNET_ARCH}")
endif()
if(clmnet_arch)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-march=${clmnet_arch}>)
endif()
# Fused multiply-add changes last digits from one machine to the next; statistics promise the same digits everywhere.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)

if(CLMNET_SANITIZE)
  add_compile_options(-fsanitize=${CLMNET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CLMNET_SANITIZE})
endif()

# Our own targets take these; third-party headers are SYSTEM and stay quiet.
add_library(clmnet_warnings INTERFACE)
target_compile_options(clmnet_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(CLMNET_WERROR)
  target_compile_options(clmnet_warnings INTERFACE -Werror)
endif()

# clmnet_add_library(NAME SOURCES a.cpp ... LINK lib ...): a static library of one room, included from the root.
function(clmnet_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE clmnet_warnings ${arg_PRIVATE_LINK})
endfunction()

# clmnet_add_part(NAME FILE_NAME SOURCES a.cpp ... LINK lib ...): a shared library beside the program that it loads when it needs it.
function(clmnet_add_part name file_name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} MODULE ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} clmnet_warnings)
  set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${file_name} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()

# clmnet_compile_in_groups(TARGET): with CLMNET_UNITY its files are compiled several at once, since LibTorch's and OpenCV's
# headers cost more than the files themselves. Names of their unnamed namespaces must then differ.
function(clmnet_compile_in_groups target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${CLMNET_UNITY} UNITY_BUILD_BATCH_SIZE 7)
endfunction()

# ctest starts tests of a higher cost first: a mistake should show in the first seconds, so the fast ones get it.
function(clmnet_test_cost result)
  if("slow" IN_LIST ARGN OR "browser" IN_LIST ARGN)
    set(${result} 1 PARENT_SCOPE)
  elseif("data" IN_LIST ARGN)
    set(${result} 2 PARENT_SCOPE)
  else()
    set(${result} 3 PARENT_SCOPE)
  endif()
endfunction()

# clmnet_add_test(NAME SOURCES ... LINK ... [LABELS fast|data|slow|browser]): one GoogleTest program, each case a ctest entry.
function(clmnet_add_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gtest GTest::gtest_main clmnet_warnings)
  if(NOT arg_LABELS)
    set(arg_LABELS fast)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  clmnet_test_cost(cost ${arg_LABELS})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} COST ${cost})
endfunction()
if(CLMNET_BUILD_TESTS)
  include(GoogleTest)
endif()
