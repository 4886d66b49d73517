using KeycloakCreditBridge.Grants.Policy.Facts;

namespace KeycloakCreditBridge.Grants.Policy;

/// <summary>What a listing of a user shows to be due, if it was not given before.</summary>
/// <param name="MeetsWelcome">All that the welcome requires.</param>
/// <param name="Task">Key of a task that is done; null where the listing shows none.</param>
internal sealed record DoneByListing(bool MeetsWelcome, string? Task)
{
    public static readonly DoneByListing Nothing = new(false, null);

    public static DoneByListing Of(GrantUser user, RealmPolicies policies) => new(
        policies.Welcome is { } welcome && GrantPlan.Meets(user, welcome),
        policies.Tasks.FirstOrDefault(task => task.IsShownByListing && user.HasVerifiedAddress)?.Key);
}
