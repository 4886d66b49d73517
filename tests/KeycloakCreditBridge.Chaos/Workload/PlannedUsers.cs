using System.Globalization;
using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Chaos.World;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

namespace KeycloakCreditBridge.Chaos.Workload;

/// <summary>The users of a plan: how they register, and what administrators do to them.</summary>
internal sealed class PlannedUsers(ChaosWorld world, Plan plan)
{
    private readonly string?[] _ids = new string?[plan.Users];
    private readonly KeycloakBrowser _browser = new(world.Keycloak.Url);

    /// <summary>Keycloak's id of the user; null until it has registered.</summary>
    public string? IdOf(int number) => Volatile.Read(ref _ids[number]);

    public async Task RegisterAsync(Step step, CancellationToken token)
    {
        var user = Named(step.User);
        switch (step.Kind)
        {
            case StepKind.RegisterByForm:
                await _browser.RegisterAsync(ChaosWorld.Realm, user, token);
                break;
            case StepKind.RegisterByBroker:
                await world.Admin.CreateUserAsync(ChaosWorld.ProviderRealm, user, token);
                await _browser.LoginThroughBrokerAsync(ChaosWorld.Realm, ChaosWorld.Provider, user.Username, user.Password, token);
                break;
            case StepKind.RegisterByImport:
                await world.Admin.PartialImportAsync(
                    ChaosWorld.Realm, Enumerable.Range(step.User, step.Count).Select(Named), token);
                break;
            default:
                Volatile.Write(ref _ids[step.User], await world.Admin.CreateUserAsync(ChaosWorld.Realm, user, token));
                return;
        }

        for (var number = step.User; number < step.User + step.Count; number++)
        {
            var found = await world.Admin.FindUserAsync(ChaosWorld.Realm, Named(number).Username, token);
            Volatile.Write(ref _ids[number], (string?)found?["id"]);
        }
    }

    public Task ChangeAsync(Step step, string id, CancellationToken token) => step.Kind switch
    {
        StepKind.Disable => world.Admin.UpdateUserAsync(ChaosWorld.Realm, id, new() { ["enabled"] = false }, token),
        StepKind.Enable => world.Admin.UpdateUserAsync(ChaosWorld.Realm, id, new() { ["enabled"] = true }, token),
        StepKind.Delete => world.Admin.DeleteUserAsync(ChaosWorld.Realm, id, token),
        _ => world.Admin.UpdateUserAsync(
            ChaosWorld.Realm, id, new() { ["email"] = $"u{step.User}-{step.Number}@example.org", ["firstName"] = $"Name {step.Number}" },
            token),
    };

    /// <summary>The user of this number as it registers.</summary>
    public static SandboxUser Named(int number)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"u{number:D6}");
        return new SandboxUser(name, $"{name}@example.com");
    }
}
