using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Adoption;
using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Cli;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Health;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Hosting.Addresses;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Management;
using KeycloakCreditBridge.Metering;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Page;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KeycloakCreditBridge;

/// <summary>The table of contents: the bridge's features in the order in which a user passes through them.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args) => CliModule.RunAsync(args, new CommandHost(Compose, Build));

    /// <summary>Registers everything. Settings added to the builder afterwards win over all others.</summary>
    /// <param name="configurationArgs">Settings as `--Section:Key=value`.</param>
    internal static WebApplicationBuilder Compose(string[] configurationArgs)
    {
        // The framework would watch files that AddReload reads itself, and take one of the few inotify instances of a user for it.
        string[] args = ["--hostBuilder:reloadConfigOnChange=false", .. configurationArgs];
        var builder = WebApplication.CreateBuilder(
            new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddProblemDetails();
        builder.Services.Configure<ExceptionHandlerOptions>(handler =>
        {
            // What the caller did wrong is no fault of the bridge's, and fills no log.
            handler.StatusCodeSelector =
                exception => exception is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError;
            handler.SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException;
        });
        builder.AddWorkingDirectorySettings();
        builder.AddSecretFiles();
        builder.AddReload();
        builder.AddLogs();
        builder.AddManagement();
        builder.AddTelemetry();
        builder.AddStorage();
        builder.AddHosting();
        builder.AddKeycloak();
        builder.AddApi();
        builder.AddIntake();
        builder.AddHints();
        builder.AddOutbox();
        builder.AddGrants();
        builder.AddProvisioning();
        builder.AddCredits();
        builder.AddMetering();
        builder.AddReconciliation();
        builder.AddAccounts();
        builder.AddPeriods();
        builder.AddAdoption();
        builder.AddAnalytics();
        builder.AddHealth();
        builder.AddPageOptions();
        return builder;
    }

    /// <summary>Builds the application and maps its endpoints, ready to be started.</summary>
    /// <exception cref="ConfigurationException">Something is wrong with the configuration; all of it is listed.</exception>
    internal static WebApplication Build(WebApplicationBuilder builder)
    {
        builder.AddManagementAddress();
        builder.AddPage();
        var app = builder.Build();
        ConfigurationCheck.Run(app.Services);
        app.UseListenAddresses();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.UseManagement();
        app.UseApi();
        app.MapIntake();
        app.MapDeliveries();
        app.MapCredits();
        app.MapReconciliation();
        app.MapMetering();
        app.MapAnalytics();
        app.MapHealth();
        app.MapTelemetry();
        app.MapPage();
        return app;
    }
}
