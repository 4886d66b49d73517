namespace KeycloakCreditBridge.Chaos.Plans;

/// <summary>What the workload does.</summary>
internal enum StepKind
{
    RegisterByApi,
    RegisterByForm,
    RegisterByImport,
    RegisterByBroker,
    ChangeProfile,
    Disable,
    Enable,
    Delete,
    Read,
    Deduct,
    Allocate,
    Track,
    Refund,
    Adjust,
    Meter,
    EndGrant,
    VoidGrant,
    SwitchTier,
    Backfill,

    /// <summary>An administrator makes a code for some users.</summary>
    Campaign,

    /// <summary>A user redeems a code.</summary>
    Redeem,

    /// <summary>A user tells by which other one it was brought.</summary>
    Refer,

    /// <summary>Another program ends an account's period.</summary>
    EndPeriod,
}
