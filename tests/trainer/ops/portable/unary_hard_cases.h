// Written by make_unary_hard_cases.py from the output of bench/unary_exhaustive.
#pragma once

#include "trainer/ops/portable/unary_loops.h"

namespace twinrun::trainer::portable {

struct HardCase {
  Unary function;
  float x;
  float y;  ///< correctly rounded, by MPFR
};

/// Of all floats those whose exact results lie nearest to the middle between two floats.
constexpr HardCase kHardCases[] = {
    {Unary::kExp, -0x1.d2259ap+3f, 0x1.fa6636p-22f},
    {Unary::kExp, -0x1.e1dbe2p-8f, 0x1.fc3fd2p-1f},
    {Unary::kExp, -0x1.65cf3p+6f, 0x1.edb9cp-130f},
    {Unary::kExp, 0x1.fdff02p-17f, 0x1.0001p+0f},
    {Unary::kExp, -0x1.c1c4b8p-10f, 0x1.ff1f4ep-1f},
    {Unary::kExp, -0x1p-25f, 0x1p+0f},
    {Unary::kExp, 0x1.8d7cb6p-12f, 0x1.0018dap+0f},
    {Unary::kExp, 0x1.cd3982p-14f, 0x1.000734p+0f},
    {Unary::kExp, 0x1.747de2p-15f, 0x1.0002eap+0f},
    {Unary::kExp, 0x1.344e9cp-5f, 0x1.09d174p+0f},
    {Unary::kExp, 0x1.62b666p+1f, 0x1.ff48fap+3f},
    {Unary::kExp, 0x1.036492p+1f, 0x1.e59a28p+2f},
    {Unary::kExp, 0x1.cb763ap-12f, 0x1.001cbap+0f},
    {Unary::kExp, 0x1.fbff82p-18f, 0x1.00008p+0f},
    {Unary::kExp, 0x1.112856p+6f, 0x1.6f498ap+98f},
    {Unary::kExp, 0x1.f7ffc2p-19f, 0x1.00004p+0f},
    {Unary::kLog, 0x1.b121a6p+76f, 0x1.a9a3f2p+5f},
    {Unary::kLog, 0x1.bacb4ap+25f, 0x1.1e0696p+4f},
    {Unary::kLog, 0x1.c09d7cp+27f, 0x1.346a58p+4f},
    {Unary::kLog, 0x1.2f1fd6p+3f, 0x1.1fcbcep+1f},
    {Unary::kLog, 0x1.22d57p-65f, -0x1.676a7cp+5f},
    {Unary::kLog, 0x1.5190cp+78f, 0x1.b2bc8cp+5f},
    {Unary::kLog, 0x1.827a74p-7f, -0x1.1c2b1ep+2f},
    {Unary::kLog, 0x1.6351d8p+95f, 0x1.08b512p+6f},
    {Unary::kLog, 0x1.b97c7p-14f, -0x1.251748p+3f},
    {Unary::kLog, 0x1.cb534cp+13f, 0x1.330e4ap+3f},
    {Unary::kLog, 0x1.d1309cp+62f, 0x1.5c9442p+5f},
    {Unary::kLog, 0x1.f0ddep-8f, -0x1.38733cp+2f},
    {Unary::kLog, 0x1.cfd86ep+116f, 0x1.43ff6ep+6f},
    {Unary::kLog, 0x1.917748p-100f, -0x1.137588p+6f},
    {Unary::kLog, 0x1.98496ep-39f, -0x1.a90e2p+4f},
    {Unary::kLog, 0x1.390ffp-93f, -0x1.010bbep+6f},
    {Unary::kRsqrt, 0x1.7431c6p-125f, 0x1.2c413cp+62f},
    {Unary::kRsqrt, 0x1.7431c6p-123f, 0x1.2c413cp+61f},
    {Unary::kRsqrt, 0x1.7431c6p-121f, 0x1.2c413cp+60f},
    {Unary::kRsqrt, 0x1.7431c6p-119f, 0x1.2c413cp+59f},
    {Unary::kRsqrt, 0x1.7431c6p-117f, 0x1.2c413cp+58f},
    {Unary::kRsqrt, 0x1.7431c6p-115f, 0x1.2c413cp+57f},
    {Unary::kRsqrt, 0x1.7431c6p-113f, 0x1.2c413cp+56f},
    {Unary::kRsqrt, 0x1.7431c6p-111f, 0x1.2c413cp+55f},
    {Unary::kRsqrt, 0x1.7431c6p-109f, 0x1.2c413cp+54f},
    {Unary::kRsqrt, 0x1.7431c6p-107f, 0x1.2c413cp+53f},
    {Unary::kRsqrt, 0x1.7431c6p-105f, 0x1.2c413cp+52f},
    {Unary::kRsqrt, 0x1.7431c6p-103f, 0x1.2c413cp+51f},
    {Unary::kRsqrt, 0x1.7431c6p-101f, 0x1.2c413cp+50f},
    {Unary::kRsqrt, 0x1.7431c6p-99f, 0x1.2c413cp+49f},
    {Unary::kRsqrt, 0x1.7431c6p-97f, 0x1.2c413cp+48f},
    {Unary::kRsqrt, 0x1.7431c6p-95f, 0x1.2c413cp+47f},
    {Unary::kSin, -0x1.487e0cp+103f, -0x1.287508p-2f},
    {Unary::kSin, 0x1.487e0cp+103f, 0x1.287508p-2f},
    {Unary::kSin, -0x1.33333p+13f, 0x1.63f4bap-2f},
    {Unary::kSin, 0x1.33333p+13f, -0x1.63f4bap-2f},
    {Unary::kSin, -0x1.95f654p+44f, 0x1.fcf42ep-1f},
    {Unary::kSin, 0x1.95f654p+44f, -0x1.fcf42ep-1f},
    {Unary::kSin, -0x1.524856p+80f, 0x1.ff5702p-1f},
    {Unary::kSin, 0x1.524856p+80f, -0x1.ff5702p-1f},
    {Unary::kSin, -0x1.e35bc6p+7f, -0x1.c5b4acp-3f},
    {Unary::kSin, 0x1.e35bc6p+7f, 0x1.c5b4acp-3f},
    {Unary::kSin, -0x1.411b04p+63f, -0x1.58ed1p-1f},
    {Unary::kSin, 0x1.411b04p+63f, 0x1.58ed1p-1f},
    {Unary::kSin, -0x1.b559b6p+117f, -0x1.b50776p-2f},
    {Unary::kSin, 0x1.b559b6p+117f, 0x1.b50776p-2f},
    {Unary::kSin, -0x1.8d9d8p+73f, 0x1.d32b7ap-1f},
    {Unary::kSin, 0x1.8d9d8p+73f, -0x1.d32b7ap-1f},
};

}  // namespace twinrun::trainer::portable
