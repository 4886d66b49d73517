using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Doctor.Records;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Health;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Setup.Operators;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Doctor;

/// <summary>Runs all checks, one after the other. What a check needs is created only when its part of the configuration is right.</summary>
internal static class DoctorRun
{
    /// <summary>Reports each check's finding at once.</summary>
    /// <param name="services">What the checks are created from.</param>
    /// <param name="administrator">May read what the bridge may not; null when none was given.</param>
    /// <param name="report">Takes the findings.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    public static async Task RunAsync(
        IServiceProvider services, Administrator? administrator, Action<CheckResult> report, CancellationToken cancellationToken)
    {
        var problems = ConfigurationCheck.Problems(services);
        foreach (var problem in problems)
            report(new CheckResult("configuration", null, Finding.Fail(problem)));
        if (problems.Count == 0)
            report(new CheckResult("configuration", null, Finding.Ok("the configuration can be used")));

        var realms = CanUse<KeycloakOptions>(services) && CanUse<IntakeOptions>(services)
            ? services.GetRequiredService<IOptions<KeycloakOptions>>().Value.Realms.ConvertAll(realm => realm.Name)
            : [];
        if (realms.Count == 0)
            report(Skipped("keycloak"));
        if (CanUse<IntakeOptions>(services))
            await RunAsync(ActivatorUtilities.CreateInstance<BrokerChecks>(services).All(), report, cancellationToken);
        if (CanUse<StorageOptions>(services))
            await RunAsync([.. Database(services, realms), .. Records(services, realms)], report, cancellationToken);
        else
            report(Skipped("database"));
        if (realms.Count > 0)
        {
            var keycloak = services.GetRequiredService<IOptions<KeycloakOptions>>().Value;
            report(new CheckResult("Keycloak's address", null, RealmChecks.Address(keycloak)));
            await RunAsync(
                KeycloakDatabase(ActivatorUtilities.CreateInstance<KeycloakDatabaseChecks>(services), realms), report, cancellationToken);
        }

        if (realms.Count > 0 && CanUse<PageOptions>(services)
            && services.GetRequiredService<IOptions<PageOptions>>().Value is { Enabled: true } page)
            await RunAsync(
                OfPage(
                    ActivatorUtilities.CreateInstance<SignInCheck>(services),
                    page.RealmOf(services.GetRequiredService<IOptions<KeycloakOptions>>().Value)),
                report, cancellationToken);
        foreach (var realm in realms)
            await RunAsync(OfRealm(services, realm, SessionOf(services, administrator, realm)), report, cancellationToken);
    }

    private static CheckResult Skipped(string check) => new(check, null, Finding.Warn("not checked, as its configuration cannot be used"));

    // A mistake elsewhere in the configuration does not stop a check.
    private static bool CanUse<TOptions>(IServiceProvider services)
        where TOptions : class
    {
        try
        {
            _ = services.GetRequiredService<IOptions<TOptions>>().Value;
            return true;
        }
        catch (Exception exception) when (exception is OptionsValidationException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    private static IEnumerable<DoctorCheck> Database(IServiceProvider services, IReadOnlyList<string> realms)
    {
        var checks = ActivatorUtilities.CreateInstance<DatabaseChecks>(services);
        var grants = ActivatorUtilities.CreateInstance<GrantChecks>(services);
        return
        [
            new("database", null, checks.ReachAsync, IsGate: true),
            new("database server", null, checks.ServerAsync),
            new("database clock", null, checks.ClockAsync),
            new("schema", null, checks.SchemaAsync),
            new("privileges", null, checks.PrivilegesAsync),
            new("replicas", null, checks.ReplicasAsync),
            new("settings of replicas", null, checks.SettingsAsync),
            new("schedule", null, checks.ScheduleAsync),
            new("ended credits", null, grants.SweepAsync),
            new("balances", null, grants.SumsAsync),
            new("checkpoints", null, grants.CheckpointsAsync),
            .. CanUse<GrantsOptions>(services) && CanUse<ProvisioningOptions>(services)
                ?
                [
                    new DoctorCheck("codes", null, ActivatorUtilities.CreateInstance<CodeChecks>(services).KeyAsync),
                    new DoctorCheck("experiments", null, ActivatorUtilities.CreateInstance<ExperimentChecks>(services).RatiosAsync),
                ]
                : Array.Empty<DoctorCheck>(),
            new("other realms", null, token => checks.OtherRealmsAsync([.. realms], token)),
            new("late hints", null, checks.LateHintsAsync),
            new("dead hints", null, checks.DeadHintsAsync),
            .. realms.Select(realm => new DoctorCheck("reconciliation", realm, token => checks.ReconciledAsync(realm, token))),
            .. realms.Select(realm => new DoctorCheck("left out", realm, token => checks.LeftOutAsync(realm, token))),
        ];
    }

    private static IEnumerable<DoctorCheck> Records(IServiceProvider services, IReadOnlyList<string> realms) =>
    [
        .. CanUse<DeliveriesOptions>(services) ? ActivatorUtilities.CreateInstance<DeliveryChecks>(services).Of(realms) : [],
        .. CanUse<AnalyticsOptions>(services) && CanUse<ProvisioningOptions>(services)
            ? ActivatorUtilities.CreateInstance<AnalyticsChecks>(services).All() : [],
        .. CanUse<GrantsOptions>(services) && CanUse<ProvisioningOptions>(services)
            ? [
                .. ActivatorUtilities.CreateInstance<ReferralChecks>(services).All(),
                .. ActivatorUtilities.CreateInstance<TaskChecks>(services).Of(realms),
                .. ActivatorUtilities.CreateInstance<SignalChecks>(services).Of(realms),
                .. ActivatorUtilities.CreateInstance<HoldChecks>(services).All(),
            ]
            : Array.Empty<DoctorCheck>(),
        .. CanUse<OutboxOptions>(services) ? ActivatorUtilities.CreateInstance<OutboxChecks>(services).All() : [],
    ];

    private static IEnumerable<DoctorCheck> KeycloakDatabase(KeycloakDatabaseChecks checks, IReadOnlyList<string> realms) =>
        [new("Keycloak's database", null, token => checks.UseAsync(realms, token))];

    private static IEnumerable<DoctorCheck> OfPage(SignInCheck check, string realm)
    {
        yield return new("page client", realm, async token => Found(await check.ClientAsync(token)), IsGate: true);
        yield return new("page redirect", realm, async token => Found(await check.RedirectAsync(token)));

        static Finding Found(SignInFinding found) =>
            found.Cure is null ? Finding.Ok(found.Says) : Finding.Fail(found.Says, found.Cure);
    }

    private static AdminSession? SessionOf(IServiceProvider services, Administrator? administrator, string realm)
    {
        if (administrator is null)
            return null;
        var account = new AdministratorToken(services.GetRequiredService<TokenEndpoint>(), administrator);
        return new AdminSession(services.GetRequiredService<AdminTransport>(), realm, account);
    }

    private static IEnumerable<DoctorCheck> OfRealm(IServiceProvider services, string realm, AdminSession? administrator)
    {
        var webhooks = ActivatorUtilities.CreateInstance<WebhookChecks>(
            services, ActivatorUtilities.CreateInstance<TestDelivery>(services));
        var asAdministrator = ActivatorUtilities.CreateInstance<AdministratorChecks>(services);
        var checks = ActivatorUtilities.CreateInstance<RealmChecks>(services);
        var settings = ActivatorUtilities.CreateInstance<EventSettingChecks>(services);
        yield return new("webhook secret", realm, _ => Task.FromResult(checks.Webhook(realm)));
        yield return new("webhook delivery", realm, token => webhooks.DeliveryAsync(realm, token));
        yield return new("token", realm, token => checks.TokenAsync(realm, token), IsGate: true);
        yield return new("clock", realm, token => checks.ClockAsync(realm, token));
        yield return new("users", realm, token => checks.UsersAsync(realm, token));
        yield return new("events", realm, token => checks.UserEventsAsync(realm, token));
        yield return new("admin events", realm, token => checks.AdminEventsAsync(realm, token));
        yield return new("capabilities", realm, token => checks.CapabilitiesAsync(realm, token));
        yield return new("events stored", realm, token => settings.UserEventsStoredAsync(realm, token));
        yield return new("admin events stored", realm, token => settings.AdminEventsStoredAsync(realm, token));
        yield return new("event types", realm, token => settings.TypesAsync(realm, token));
        yield return new("event retention", realm, token => settings.RetentionAsync(realm, token));
        yield return new("admin event retention", realm, token => asAdministrator.AdminRetentionAsync(administrator, token));
        yield return new("event listener", realm, token => webhooks.ListenerAsync(realm, token));
        yield return new("webhook", realm, token => webhooks.RegisteredAsync(realm, token));
        yield return new("bridge address", realm, token => webhooks.AddressAsync(realm, token));
        yield return new("webhook's secret", realm, token => webhooks.SecretAsync(realm, administrator, token));
        yield return new("federations", realm, token => asAdministrator.FederationsAsync(realm, administrator, token));
        if (!CanUse<ProvisioningOptions>(services))
            yield break;
        var attributes = ActivatorUtilities.CreateInstance<AttributeChecks>(services);
        yield return new("tier attribute", realm, token => attributes.TierAttributeAsync(realm, token));
        yield return new("account id attribute", realm, token => attributes.AccountIdAttributeAsync(realm, token));
        yield return new("welcome attributes", realm, token => attributes.WelcomeAttributesAsync(realm, token));
        yield return new("welcome sources", realm, token => attributes.WelcomeSourcesAsync(realm, token));
        yield return new("verified addresses", realm, token => attributes.VerifiedAddressesAsync(realm, token));
        yield return new("account id settings", realm, token => attributes.AccountIdSettingsAsync(realm, administrator, token));
    }

    private static async Task RunAsync(IEnumerable<DoctorCheck> checks, Action<CheckResult> report, CancellationToken cancellationToken)
    {
        string? refusal = null;
        foreach (var check in checks)
        {
            var finding = await RunCheckAsync(check, cancellationToken);
            // All that asks the plugin meets the same refusal, and one line of it is enough.
            if (finding.IsOfPlugin && finding.Message == refusal)
                finding = Finding.Warn("not checked, as the webhook plugin refuses the bridge's token");
            else if (finding.IsOfPlugin)
                refusal = finding.Message;
            report(new CheckResult(check.Name, check.Realm, finding, check.IsGate));
            if (finding.Ends)
                return;
            if (check.IsGate && finding.Verdict == Verdict.Fail)
            {
                report(new CheckResult("the rest", check.Realm, Finding.Warn($"not checked without the {check.Name}")));
                return;
            }
        }
    }

    private static async Task<Finding> RunCheckAsync(DoctorCheck check, CancellationToken cancellationToken)
    {
        try
        {
            return await check.Run(cancellationToken);
        }
        catch (KeycloakPluginException exception)
        {
            return Finding.Warn(exception.Message) with { IsOfPlugin = true };
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or OutOfMemoryException))
        {
            var says = exception switch
            {
                NpgsqlException => $"PostgreSQL: {PrivilegeErrors.Describe(exception)}",
                ConfigurationException refused => string.Join(" ", refused.Problems),
                _ => exception.Message,
            };
            var isUnreachable = Failure.KindOf(exception) == FailureKind.Unreachable;
            return new Finding(Verdict.Fail, says, Unreachable: isUnreachable);
        }
    }
}
