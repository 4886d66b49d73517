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
}
