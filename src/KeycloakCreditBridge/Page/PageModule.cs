using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Page.Accounts;
using KeycloakCreditBridge.Page.Audit;
using KeycloakCreditBridge.Page.Codes;
using KeycloakCreditBridge.Page.Deliveries;
using KeycloakCreditBridge.Page.Events;
using KeycloakCreditBridge.Page.Experiments;
using KeycloakCreditBridge.Page.Funnel;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Grants;
using KeycloakCreditBridge.Page.Hints;
using KeycloakCreditBridge.Page.Overview;
using KeycloakCreditBridge.Page.Referrals;
using KeycloakCreditBridge.Page.Review;
using KeycloakCreditBridge.Page.Runs;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Settings;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Page.SignIn;
using KeycloakCreditBridge.Setup.Operators;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Page;

internal static class PageModule
{
    public static void AddPageOptions(this IHostApplicationBuilder builder)
    {
        builder.AddSection<PageOptions, PageOptionsValidator>(PageOptions.Section);
        builder.Services.AddInstruments<PageMetrics>();
    }

    /// <summary>Registers the page where it is on, once all settings are known. A bridge without it has nothing of it.</summary>
    public static void AddPage(this WebApplicationBuilder builder)
    {
        if (!IsOn(builder.Configuration))
            return;
        var services = builder.Services;
        services.AddRazorComponents();
        // The components' framework registers keys on disk for cookies of its own, which the page has not.
        foreach (var keys in services.Where(service => service.ImplementationType?.Name == "DataProtectionHostedService").ToList())
            services.Remove(keys);
        services.AddScoped(typeof(View<>));
        services.AddSingleton<Assets>();
        services.AddSingleton<PageHeaders>();
        services.AddSingleton<PageCookies>();
        services.AddSingleton<PageSessionStore>();
        services.AddSingleton<SessionCipher>();
        services.AddSingleton<OperatorTokens>();
        services.AddSingleton<SessionKeeper>();
        services.AddHostedService<PageSessionPurge>();
        services.AddSingleton<ChangeLimiter>();
        services.AddSingleton<PageAuditStore>();
        services.AddSingleton<ActRunner>();
        services.AddSingleton<PageGate>();
        services.AddSingleton<SignInEndpoints>();
        services.AddSingleton<CheckBoard>();
        services.AddSingleton<OverviewStore>();
        services.AddSingleton<FigureBoard>();
        services.AddSingleton<OverviewScreen>();
        services.AddSingleton<AccountListStore>();
        services.AddSingleton<TimelineStore>();
        services.AddSingleton<AccountsScreen>();
        services.AddSingleton<AccountScreen>();
        services.AddSingleton<AccountActs>();
        services.AddSingleton<ReviewScreen>();
        services.AddSingleton<RunHistoryStore>();
        services.AddSingleton<RunsScreen>();
        services.AddSingleton<RunStream>();
        services.AddSingleton<DeliveriesScreen>();
        services.AddSingleton<HintsScreen>();
        services.AddSingleton<EndsDueStore>();
        services.AddSingleton<GrantsScreen>();
        services.AddSingleton<CodesScreen>();
        services.AddSingleton<CampaignScreen>();
        services.AddSingleton<ReferralsScreen>();
        services.AddSingleton<ReferralScreen>();
        services.AddSingleton<ExperimentsScreen>();
        services.AddSingleton<FunnelScreen>();
        services.AddSingleton<EventsScreen>();
        services.AddSingleton<AuditListStore>();
        services.AddSingleton<AuditScreen>();
        services.AddSingleton<LeaseListStore>();
        services.AddSingleton<SettingsScreen>();
    }

    public static void MapPage(this WebApplication app)
    {
        if (!IsOn(app.Configuration))
            return;
        var headers = app.Services.GetRequiredService<PageHeaders>();
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments(PagePaths.Root, StringComparison.Ordinal),
            branch => branch.Use(headers.InvokeAsync));
        var gate = app.Services.GetRequiredService<PageGate>();
        var open = app.MapGroup("").ExcludeFromDescription().AddEndpointFilter(gate.ForEveryoneAsync);
        open.MapGet(Assets.Route, (HttpContext context, Assets assets, string name) => assets.Send(context, name));
        open.MapGet($"{PagePaths.Root}/sign-in", (HttpContext context, SignInEndpoints signIn) => signIn.Begin(context));
        open.MapGet(PagePaths.SignedIn, (HttpContext context, SignInEndpoints signIn) => signIn.CompleteAsync(context));
        open.MapGet(PagePaths.SignedOut, (HttpContext context) => SignInEndpoints.Ended(context));
        open.MapPost(PagePaths.BackChannelLogout, (HttpContext context, SignInEndpoints signIn) => signIn.EndByKeycloakAsync(context));

        var screens = app.MapGroup(PagePaths.Root).ExcludeFromDescription().AddEndpointFilter(gate.ForOperatorsAsync);
        screens.MapPost("/sign-out", (HttpContext context, SignInEndpoints signIn) => signIn.EndAsync(context))
            .WithMetadata(new ChangesNothing(), new NeedsNoRole());
        screens.MapOverview();
        screens.MapAccounts();
        screens.MapReview();
        screens.MapRuns();
        screens.MapDeliveries();
        screens.MapHints();
        screens.MapGrants();
        screens.MapCodes();
        screens.MapReferrals();
        screens.MapExperiments();
        screens.MapFunnel();
        screens.MapEvents();
        screens.MapAudit();
        screens.MapSettings();
        screens.MapFallback((HttpContext _) => throw Operator.NotFound());
    }

    private static bool IsOn(IConfiguration configuration) =>
        bool.TryParse(configuration[$"{PageOptions.Section}:{nameof(PageOptions.Enabled)}"], out var isOn) && isOn;
}
