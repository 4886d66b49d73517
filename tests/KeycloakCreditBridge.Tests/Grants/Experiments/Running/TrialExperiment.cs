using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Provisioning;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Experiments.Running;

/// <summary>An experiment of two arms, of which `control` gives 5 credits and `more` 10, and users by their arm.</summary>
internal static class TrialExperiment
{
    public const string Key = "trial";

    public static IReadOnlyList<string> Controls { get; } = [.. Ids("control").Take(2)];

    public static IReadOnlyList<string> Others { get; } = [.. Ids("more").Take(10)];

    public static GrantsOptions Experiment(bool gated = false) => new()
    {
        Welcome = new WelcomeOptions { Credits = 3m, Requires = gated ? ["email_verified"] : [] },
        Experiments =
        {
            [Key] = new ExperimentOptions
            {
                From = "2026-01-01", Planned = 100,
                Arms =
                [
                    new() { Name = "control", Weight = 0.5m, Credits = 5m },
                    new() { Name = "more", Weight = 0.5m, Credits = 10m, ExpiresAfter = TimeSpan.FromDays(30) },
                ],
            },
        },
    };

    public static Subject Unverified(string id) => User(id) with { Email = $"{id}@example.com" };

    // Controls first.
    public static Task<IReadOnlyList<string>> StoredAsync(AccountFixture fixture) => fixture.Database.QueryAsync<string>(
        """
        select concat_ws(' ', keycloak_id, arm, credits::int, case when exposed_at is null then 'waits' else 'exposed' end)
        from experiment_assignments order by arm, keycloak_id
        """);

    private static IEnumerable<string> Ids(string arm)
    {
        var terms = new ExperimentTerms(Key, Experiment().Experiments[Key]);
        return Enumerable.Range(0, 1_000).Select(number => $"user-{number:000}").Where(id => terms.HashOf(id).Arm?.Name == arm);
    }
}
