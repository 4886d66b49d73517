using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Evidence;

internal enum CallOutcome
{
    /// <summary>It was acknowledged.</summary>
    Done,

    /// <summary>The bridge said no each time that it was asked.</summary>
    Refused,

    /// <summary>It was answered by an error of the server, or not at all: it may have been carried out.</summary>
    Unknown,
}

/// <summary>One request of the workload to the bridge, with all its repetitions under one key.</summary>
/// <param name="Name">Names the request in the ledger.</param>
/// <param name="Account">The account's id.</param>
/// <param name="Started">When it was sent first.</param>
/// <param name="Ended">When its last answer came.</param>
/// <param name="Replica">The one that answered last.</param>
/// <param name="Attempts">How often it was sent.</param>
internal sealed record Call(
    StepKind Kind, string Name, string Account, DateTimeOffset Started, DateTimeOffset Ended, int Replica, int Attempts,
    CallOutcome Outcome)
{
    public int Status { get; init; }

    /// <summary>What it adds to the balance.</summary>
    public decimal Amount { get; init; }

    /// <summary>The balance that the answer has; null for answers without one.</summary>
    public decimal? Balance { get; init; }

    /// <summary>The tier, the grant's key or the refunded row that it is about.</summary>
    public string? About { get; init; }

    /// <summary>The ledger row that the answer names.</summary>
    public string? Entry { get; init; }

    /// <summary>Whether it writes a ledger row that has its name.</summary>
    public bool IsMove =>
        Kind is StepKind.Deduct or StepKind.Allocate or StepKind.Track or StepKind.Refund or StepKind.Adjust or StepKind.Meter;
}
