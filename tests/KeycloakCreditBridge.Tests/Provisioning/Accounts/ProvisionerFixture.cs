using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>A provisioner of the realm demo, and what it converges to.</summary>
internal static class ProvisionerFixture
{
    public static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    public static DesiredState Evaluate(
        string user, bool enabled = true, bool isServiceAccount = false, DateTimeOffset? readAt = null, string tier = "trial") =>
        new GrantPolicy(Options.Create(new ProvisioningOptions { Tier = tier }))
            .Evaluate(new Subject("demo", user, enabled, isServiceAccount, Now), readAt ?? Now, HintSources.Webhook);

    public static DesiredState Deleted(string user) =>
        new GrantPolicy(Options.Create(new ProvisioningOptions())).EvaluateDeleted("demo", user, Now, HintSources.Poll);

    public static Provisioner Provisioner(TestDatabase database) =>
        new(new AccountStore(database.DataSource), new RenameStore(database.DataSource), AccountFixture.NewMetrics(), TimeProvider.System,
            NullLogger<Provisioner>.Instance);
}
