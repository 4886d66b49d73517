using KeycloakCreditBridge.Hints;

namespace KeycloakCreditBridge.Intake.Deliveries.Review;

/// <summary>Has the user of a delivery read from Keycloak again. Nothing that the delivery said is used but the user's id.</summary>
internal sealed class DeliveryReplay(DeliveryListStore store, HintWriter hints)
{
    /// <summary>Why a delivery cannot be replayed; null where it can.</summary>
    public static string? ProblemWith(DeliveryView delivery) => delivery switch
    {
        { KeycloakId: not null } => null,
        { Way: DeliveryWays.Poll } => "It is a batch of a poll, which is read again by itself until its hints are stored.",
        { Outcome: DeliveryOutcomes.Refused } =>
            "It was refused and names no user that can be trusted: remove the cause, then run `reconcile --since` with its time.",
        _ => "It concerns no user.",
    };

    /// <param name="delivery">One with a user.</param>
    /// <param name="by">The caller, for the audit.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task ReplayAsync(DeliveryView delivery, string by, CancellationToken cancellationToken)
    {
        // A user that was only seen then is evaluated all the same.
        var kind = delivery.Kind == "deleted" ? HintKind.Deleted : HintKind.Changed;
        var source = delivery.Way switch
        {
            DeliveryWays.Poll => HintSources.Poll,
            DeliveryWays.Broker => HintSources.Broker,
            _ => HintSources.Webhook,
        };
        await hints.WriteAsync(
            [new UserHint(delivery.Realm, delivery.KeycloakId!, kind, delivery.Event ?? "", source)], cancellationToken);
        await store.AuditAsync(delivery.Realm, delivery.KeycloakId, $"{delivery.Id}", by, 1, cancellationToken);
    }
}
