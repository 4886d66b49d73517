using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Configuration;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace KeycloakCreditBridge.Api.Description;

/// <summary>What the OpenAPI document says of each route beyond what the framework finds out.</summary>
internal static class ApiDescription
{
    private const string Bearer = "bearer";

    // Any route may answer these.
    private static readonly int[] CommonProblems = [400, 401, 403, 404, 429, 503];
    private static readonly int[] WriteProblems = [402, 409, 413, 415, 422];

    /// <summary>Names the tokens that every route of the API requires.</summary>
    public static void DescribeTokens(this OpenApiOptions options) => options.AddDocumentTransformer((document, _, _) =>
    {
        document.Info = new OpenApiInfo { Title = "Keycloak Credit Bridge", Version = ProductVersion.Text };
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT" },
        };
        document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, document)] = [] }];
        return Task.CompletedTask;
    });

    /// <summary>A route that answers <typeparamref name="TAnswer"/>, with these parameters in its query.</summary>
    public static RouteHandlerBuilder Answers<TAnswer>(this RouteHandlerBuilder route, string summary, params string[] query) =>
        route.WithSummary(summary).Produces<TAnswer>().Problems(CommonProblems).WithParameters(ParameterLocation.Query, query);

    /// <summary>A route that answers 202 with what it has begun.</summary>
    public static RouteHandlerBuilder AnswersAccepted<TAnswer>(this RouteHandlerBuilder route, string summary) =>
        route.WithSummary(summary).Produces<TAnswer>(StatusCodes.Status202Accepted).Problems(CommonProblems);

    /// <summary>A route that takes <typeparamref name="TBody"/> as JSON.</summary>
    public static RouteHandlerBuilder TakesJson<TBody>(this RouteHandlerBuilder route)
        where TBody : notnull =>
        route.Accepts<TBody>("application/json").Problems(WriteProblems);

    /// <summary>A route that is carried out once for each Idempotency-Key.</summary>
    public static RouteHandlerBuilder TakesIdempotencyKey(this RouteHandlerBuilder route) =>
        route.WithParameters(ParameterLocation.Header, IdempotencyKey.Header);

    private static RouteHandlerBuilder Problems(this RouteHandlerBuilder route, int[] statuses)
    {
        foreach (var status in statuses)
            route.ProducesProblem(status);
        return route;
    }

    private static RouteHandlerBuilder WithParameters(this RouteHandlerBuilder route, ParameterLocation location, params string[] names) =>
        names.Length == 0 ? route : route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            operation.Parameters ??= [];
            foreach (var name in names)
            {
                var type = name is "limit" or "offset" ? JsonSchemaType.Integer : JsonSchemaType.String;
                operation.Parameters.Add(new OpenApiParameter { Name = name, In = location, Schema = new OpenApiSchema { Type = type } });
            }

            return Task.CompletedTask;
        });
}
